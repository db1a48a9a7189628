// Prints and writes the results.

import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { bars } from "./bars.mjs";
import { candidates } from "./candidates/index.mjs";
import { plotCosts, plotHeld } from "./plots.mjs";
import { machine, markdown } from "./tables.mjs";

const root = new URL("../../", import.meta.url);
const saved = new URL("benches/results/", root);
const README = new URL("README.md", root);

const REGION = /(<!-- bench: begin[^>]*-->\n)[\s\S]*?(<!-- bench: end -->)/;

/** The README's text between its marks. */
export function readmeRegion(results) {
  return [
    machine(results),
    "![CPU time per event, by candidate](benches/results/cost.svg)",
    "![Full GC pause and memory by the number of events held](benches/results/held.svg)",
  ].join("\n\n");
}

/** @param {object} results @param {{ entryBytes?: string, save: boolean }} options */
export async function report(results, { entryBytes, save }) {
  results.sdks = Object.keys(candidates).filter((name) => candidates[name].group === "sdk");
  if (entryBytes !== undefined) results.entryBytes = Number(entryBytes);
  results.bars = bars(results);

  const target = new URL(`target/bench/${results.plan}/`, root);
  await mkdir(target, { recursive: true });
  const text = markdown(results);
  process.stdout.write(`\n${text}\n`);
  await writeFile(new URL("table.md", target), text);
  await writeFile(new URL("results.json", target), `${JSON.stringify(results, null, 1)}\n`);
  if (results.costs) await writeFile(new URL("cost.svg", target), plotCosts(results));
  if (results.curve) await writeFile(new URL("held.svg", target), plotHeld(results));
  if (!save) return;
  await cp(target, saved, { recursive: true });
  const readme = await readFile(README, "utf8");
  if (!REGION.test(readme)) throw new Error("README.md has no region for the results");
  await writeFile(
    README,
    readme.replace(REGION, (_, begin, end) => `${begin}\n${readmeRegion(results)}\n\n${end}`),
  );
}

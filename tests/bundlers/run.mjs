// @ts-check

// Installs the packed package into a project for each bundler, framework and runtime, lets a bus in
// it send events to a collector, and prints the results:
//
//     node tests/bundlers/run.mjs [name ...]
//
// It tests the package as it was built last. A fixture whose name contains one of the names is run.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { printTable } from "../table.mjs";
import { twoAtATime } from "../two-at-a-time.mjs";
import { startCollector } from "./collector.mjs";
import { installPackage, installTools, work } from "./install.mjs";
import { Browser } from "./pages.mjs";
import { Project } from "./project.mjs";

/**
 * A way to use the package. Each directory in `fixtures` has some, which start from its files.
 *
 * @typedef {object} Fixture
 * @property {string} name
 * @property {string[]} copies the names that it takes from `shared`
 * @property {(project: Project) => Promise<{ size?: number, notes?: string }>} run rejects if it
 * fails. `size` is that of the shipped files, after gzip, in bytes
 */

const directory = fileURLToPath(new URL("fixtures/", import.meta.url));

/** @returns {Promise<(Fixture & { path: string })[]>} */
async function fixtures() {
  const found = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const module = await import(join(path, "fixture.mjs"));
    found.push(...module.default.map((/** @type {Fixture} */ fixture) => ({ ...fixture, path })));
  }
  return found;
}

/** @param {Fixture & { path: string }} fixture @param {string} modules @param {Browser} browser */
async function run({ name, path, copies, run }, modules, browser) {
  const collector = await startCollector();
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const project = new Project(work, join(work, slug), collector, browser);
  try {
    await project.create(path, copies, modules);
    const result = await run(project);
    await project.end();
    return result;
  } catch (error) {
    const told = project.told();
    await project.end().catch(() => {});
    throw new Error(`${error instanceof Error ? error.message : error}\n${told}`);
  } finally {
    await collector.stop();
  }
}

const wanted = process.argv.slice(2).map((name) => name.toLowerCase());
const isWanted = (/** @type {Fixture} */ { name }) =>
  wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part));

const chosen = (await fixtures()).filter(isWanted);
if (chosen.length === 0) throw new Error(`there is no fixture ${wanted.join(", ")}`);
await installTools();
const modules = await installPackage();
const browser = new Browser();

/** Runs a fixture, and returns its row. @param {Fixture & { path: string }} fixture */
async function rowOf(fixture) {
  console.log(`==> ${fixture.name}`);
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(1);
  try {
    const { size, notes = "" } = await run(fixture, modules, browser);
    const kilobytes = size === undefined ? "" : `${(size / 1000).toFixed(1)} kB`;
    return [fixture.name, "ok", kilobytes, seconds(), notes];
  } catch (error) {
    process.exitCode = 1;
    console.log(`${fixture.name} failed: ${error instanceof Error ? error.message : error}`);
    return [fixture.name, "FAILED", "", seconds(), ""];
  }
}

try {
  const rows = await twoAtATime(chosen, rowOf);
  console.log();
  printTable([["fixture", "result", "gzip", "seconds", ""], ...rows]);
} finally {
  await browser.stop();
}

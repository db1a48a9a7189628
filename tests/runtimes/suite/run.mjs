// @ts-check

// Runs the suite of tests/js in every runtime that can be had, and prints what came of it:
//
//     node tests/runtimes/suite/run.mjs [name ...]
//
// A runtime whose name contains one of the names is run. One that cannot be had is skipped, and the
// table says why; in CI it fails. The exit code is 0 if all went well, 1 if something failed, and 3
// if nothing failed but a runtime that was named was skipped.
//
// A file in which no test ran fails. So does one of which a runtime runs more tests or fewer than the
// first Node of the run: without a Node there is nothing to compare with.
import { printTable } from "../../table.mjs";
import { browsers } from "./browsers.mjs";
import { nodeTests, portableTests } from "./files.mjs";
import { programs } from "./programs.mjs";
import { Unavailable } from "./runtime.mjs";
import { checkRuntime } from "./self-check.mjs";
import { workerdSuite } from "./workerd.mjs";

/** @typedef {import("./runtime.mjs").Runtime} Runtime */
/** @typedef {import("./runtime.mjs").Result} Result */

const SKIPPED = 3;

/** @type {Runtime[]} */
const runtimes = [...programs, workerdSuite, ...browsers];

const wanted = process.argv.slice(2).map((name) => name.toLowerCase());
const isWanted = (/** @type {Runtime} */ { name }) =>
  wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part));

/** How many tests each file has, by the first Node. @type {{ name: string, tests: Map<string, number> } | undefined} */
let reference;

/** Adds what the runner of a runtime cannot see. @param {string} name @param {Result} result */
function withCounts(name, { file, tests, passed, failures }) {
  const more = [];
  const expected = reference?.tests.get(file) ?? tests;
  if (failures.length === 0 && tests === 0) more.push("no test ran");
  if (tests !== expected) more.push(`${name} ran ${tests} tests, ${reference?.name} ${expected}`);
  const counted = more.map((error) => ({ name: "the file", error }));
  return { file, tests, passed, failures: [...failures, ...counted] };
}

/** Runs the suite in a runtime, and returns the cells of its row. @param {Runtime} runtime */
async function runSuite({ name, skips, hasNode, start }) {
  const session = await start();
  try {
    const all = [...(await portableTests()), ...(hasNode ? await nodeTests() : [])];
    const files = all.filter((file) => !Object.hasOwn(skips, file));
    const runFiles = async (/** @type {string[]} */ files) =>
      (await session.runFiles(files)).map((result) => withCounts(name, result));
    const results = await runFiles(files);
    if (hasNode) {
      reference ??= { name, tests: new Map(results.map(({ file, tests }) => [file, tests])) };
    }
    const broken = await checkRuntime(runFiles);
    const failures = [...results, ...broken].flatMap(({ file, failures }) =>
      failures.map(({ name, error }) => `${file}: ${name}\n${error}\n`),
    );
    for (const failure of failures) console.log(failure);
    const passed = results.reduce((sum, { passed }) => sum + passed, 0);
    const reasons = Object.values(skips);
    return [session.version, passed, failures.length, reasons.length, reasons.join("; ")];
  } finally {
    await session.stop();
  }
}

const chosen = runtimes.filter(isWanted);
if (chosen.length === 0) throw new Error(`there is no runtime ${wanted.join(", ")}`);

/** @type {string[][]} */
const rows = [["runtime", "version", "passed", "failed", "skipped", ""]];
let [hasFailed, hasSkipped] = [false, false];
for (const runtime of chosen) {
  console.log(`==> the suite in ${runtime.name}`);
  try {
    const cells = await runSuite(runtime);
    hasFailed ||= cells[2] !== 0;
    rows.push([runtime.name, ...cells.map(String)]);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof Unavailable && process.env.CI !== "true") {
      hasSkipped = true;
      rows.push([runtime.name, "", "", "", "all", reason]);
    } else {
      hasFailed = true;
      console.log(error);
      rows.push([runtime.name, "", "", "all", "", reason]);
    }
  }
}

printTable(rows);
if (hasFailed) process.exitCode = 1;
else if (hasSkipped && wanted.length > 0) process.exitCode = SKIPPED;

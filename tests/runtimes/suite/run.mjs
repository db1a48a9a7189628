// @ts-check

// Runs the suite of tests/js in every runtime that can be had, and prints what came of it:
//
//     node tests/runtimes/suite/run.mjs [name ...]
//
// A runtime that cannot be had is skipped, and the table says why; in CI it fails.
import { printTable } from "../../table.mjs";
import { browsers } from "./browsers.mjs";
import { programs } from "./programs.mjs";
import { workerdSuite } from "./workerd.mjs";

/**
 * What came of the suite in a runtime.
 *
 * @typedef {object} Result
 * @property {string} version the runtime's
 * @property {number} passed tests
 * @property {number} failed tests
 * @property {string[]} skipped files, and why
 * @property {string} failures what there is to say of them
 */

/**
 * A runtime.
 *
 * @typedef {object} Runtime
 * @property {string} name
 * @property {() => Promise<Result>} run rejects if the runtime cannot be had
 */

const runtimes = [...programs, workerdSuite, ...browsers];

const wanted = process.argv.slice(2).map((name) => name.toLowerCase());
const isWanted = (/** @type {Runtime} */ { name }) =>
  wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part));

/** @type {string[][]} */
const rows = [["runtime", "version", "passed", "failed", "skipped", ""]];
let isOk = true;
for (const { name, run } of runtimes.filter(isWanted)) {
  console.log(`==> the suite in ${name}`);
  try {
    const { version, passed, failed, skipped, failures } = await run();
    // A run that says nothing is no success.
    if (failed > 0 || passed === 0 || failures !== "") {
      isOk = false;
      console.log(failures);
    }
    rows.push([name, version, passed, failed, skipped.length, skipped.join("; ")].map(String));
  } catch (error) {
    isOk &&= process.env.CI !== "true";
    const reason = error instanceof Error ? error.message : String(error);
    rows.push([name, "", "", "", "all", reason]);
  }
}

printTable(rows);
process.exitCode = isOk ? 0 : 1;

// @ts-check

// Runs the suite of tests/js in every available runtime, and prints the results:
//
//     node tests/runtimes/suite/run.mjs [name ...]
//
// A runtime whose name contains one of the names is run. One that cannot be had is skipped, and the
// table says why; in CI it fails. The exit code is 0 if all went well, 1 if something failed, and 3
// if nothing failed but a runtime that was named was skipped.
//
// A file in which no test ran fails. So does one of which a runtime runs more tests or fewer than the
// first Node of the run: without a Node there is nothing to compare with.
import { inspect } from "node:util";
import { printTable } from "../../table.mjs";
import { twoAtATime } from "../../two-at-a-time.mjs";
import { browsers } from "./browsers.mjs";
import { nodeTests, portableTests } from "./files.mjs";
import { programs } from "./programs.mjs";
import { Unavailable } from "./runtime.mjs";
import { checkRuntime } from "./self-check.mjs";
import { workerdSuite } from "./workerd.mjs";

/** @typedef {import("./runtime.mjs").Runtime} Runtime */
/** @typedef {import("./runtime.mjs").Result} Result */

const SKIPPED = 3;

/** The number of lines of a failure that are printed. */
const REPORT_LINES = 25;

/** @type {Runtime[]} */
const runtimes = [...programs, workerdSuite, ...browsers];

const wanted = process.argv.slice(2).map((name) => name.toLowerCase());
const isWanted = (/** @type {Runtime} */ { name }) =>
  wanted.length === 0 || wanted.some((part) => name.toLowerCase().includes(part));

/** Fails a file in which no test ran. @param {Result} result @returns {Result} */
function withoutEmpty({ file, tests, passed, failures }) {
  const isEmpty = failures.length === 0 && tests === 0;
  const empty = isEmpty ? [{ name: "the file", error: "no test ran" }] : [];
  return { file, tests, passed, failures: [...failures, ...empty] };
}

/**
 * Fails the files of which a runtime ran more tests than the first Node, or fewer.
 *
 * @param {Outcome} outcome
 * @param {Outcome | undefined} reference
 */
function compareCounts({ name, results }, reference) {
  const expected = new Map(reference?.results.map(({ file, tests }) => [file, tests]));
  for (const { file, tests, failures } of results) {
    const wanted = expected.get(file) ?? tests;
    const error = `${name} ran ${tests} tests, ${reference?.name} ${wanted}`;
    if (tests !== wanted) failures.push({ name: "the file", error });
  }
}

/**
 * The result of the suite in a runtime.
 *
 * @typedef {object} Outcome
 * @property {string} name the runtime's
 * @property {boolean} hasNode
 * @property {string} version
 * @property {number} seconds how long it took
 * @property {Result[]} results of the suite's files
 * @property {Result[]} broken findings of the runner's own check
 * @property {string[]} skips reasons
 * @property {unknown} [error] the reason why there are no results
 */

/** Runs the suite in a runtime. @param {Runtime} runtime @returns {Promise<Omit<Outcome, "seconds">>} */
async function runSuite({ name, skips, hasNode, start }) {
  const session = await start();
  try {
    const all = [...(await portableTests()), ...(hasNode ? await nodeTests() : [])];
    const files = all.filter((file) => !Object.hasOwn(skips, file));
    const runFiles = async (/** @type {string[]} */ files) =>
      (await session.runFiles(files)).map(withoutEmpty);
    const results = await runFiles(files);
    const broken = await checkRuntime(runFiles);
    const { version } = session;
    return { name, hasNode, version, results, broken, skips: Object.values(skips) };
  } finally {
    await session.stop();
  }
}

/** {@linkcode runSuite}, which may fail. @param {Runtime} runtime @returns {Promise<Outcome>} */
async function trySuite(runtime) {
  const { name, hasNode } = runtime;
  console.log(`==> the suite in ${name}`);
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  try {
    return { ...(await runSuite(runtime)), seconds: seconds() };
  } catch (error) {
    const none = { version: "", results: [], broken: [], skips: [] };
    return { name, hasNode, ...none, seconds: seconds(), error };
  }
}

// All runtimes make the same random inputs.
process.env.SHARDBUS_SEED ??= String(Math.floor(Math.random() * 2 ** 31));
console.log(`SHARDBUS_SEED=${process.env.SHARDBUS_SEED}`);
// `node --test tests/js` has all of them; they would be most of a runtime's time.
process.env.SHARDBUS_RUNS_SHARE ??= "0.05";

/** The beginning of a text, as long as one failure needs. @param {string} text */
function firstLines(text) {
  const lines = text.trimEnd().split("\n");
  const more = lines.length - REPORT_LINES;
  return more > 0 ? [...lines.slice(0, REPORT_LINES), `(${more} lines more)`].join("\n") : text;
}

const chosen = runtimes.filter(isWanted);
if (chosen.length === 0) throw new Error(`there is no runtime ${wanted.join(", ")}`);

const outcomes = await twoAtATime(chosen, trySuite);
const isReference = (/** @type {Outcome} */ { hasNode, results }) => hasNode && results.length > 0;
const reference = outcomes.find(isReference);

/** @type {string[][]} */
const rows = [["runtime", "version", "passed", "failed", "skipped", "seconds", ""]];
/** @type {string[]} */
const reports = [];
let [hasFailed, hasSkipped] = [false, false];
for (const outcome of outcomes) {
  const { name, version, results, broken, skips, error } = outcome;
  const seconds = outcome.seconds.toFixed(1);
  if (error !== undefined) {
    const reason = error instanceof Error ? error.message : String(error);
    const isSkipped = error instanceof Unavailable && process.env.CI !== "true";
    hasSkipped ||= isSkipped;
    hasFailed ||= !isSkipped;
    if (!isSkipped) reports.push(`${name}: ${inspect(error)}`);
    rows.push([name, "", "", isSkipped ? "" : "all", isSkipped ? "all" : "", seconds, reason]);
    continue;
  }
  compareCounts(outcome, reference);
  const failures = [...results, ...broken].flatMap(({ file, failures }) =>
    failures.map((failure) => `${name}: ${file}: ${failure.name}\n${failure.error}\n`),
  );
  reports.push(...failures);
  hasFailed ||= failures.length > 0;
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const counts = [passed, failures.length, skips.length].map(String);
  rows.push([name, version, ...counts, seconds, skips.join("; ")]);
}

printTable(rows);
// Last, where one looks first.
for (const report of reports) console.log(`\n${firstLines(report)}`);
if (hasFailed) process.exitCode = 1;
else if (hasSkipped && wanted.length > 0) process.exitCode = SKIPPED;

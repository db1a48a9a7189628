// @ts-check

// The common interface of the suite's runtimes.

/**
 * A runtime that the suite runs in.
 *
 * @typedef {object} Runtime
 * @property {string} name
 * @property {{ [file: string]: string }} skips files that have no meaning there, and why
 * @property {boolean} hasNode whether it runs the files that need Node's own modules
 * @property {() => Promise<Session>} start rejects with `Unavailable` if the runtime cannot be had
 */

/**
 * A runtime that was started.
 *
 * @typedef {object} Session
 * @property {string} version
 * @property {(files: string[]) => Promise<Result[]>} runFiles runs test files, each by itself
 * @property {() => Promise<void>} stop
 */

/** @typedef {import("./runner.mjs").FileResult & { file: string }} Result */

/** The runtime cannot be had on this machine: the only reason for which it is skipped. */
export class Unavailable extends Error {
  name = "Unavailable";
}

/** The limit of a file, in milliseconds. Its tests have shorter limits. */
export const FILE_TIMEOUT_MS = 170_000;

/**
 * The result of a file that could not be run to its end.
 *
 * @param {string} file
 * @param {unknown} error
 * @returns {Result}
 */
export const broken = (file, error) => ({
  file,
  tests: 0,
  passed: 0,
  failures: [{ name: "the file", error: error instanceof Error ? error.message : String(error) }],
});

/**
 * Runs files one after another; one that is broken keeps no other from running.
 *
 * @param {string[]} files
 * @param {(file: string) => Promise<import("./runner.mjs").FileResult>} runFile
 */
export async function oneByOne(files, runFile) {
  /** @type {Result[]} */
  const results = [];
  for (const file of files) {
    try {
      results.push({ file, ...(await runFile(file)) });
    } catch (error) {
      results.push(broken(file, error));
    }
  }
  return results;
}

// Runs measurements, each in a process of its own, so that none inherits another's heap or code.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const directory = fileURLToPath(new URL(".", import.meta.url));
const TIMEOUT_MS = 180_000;

/** A program that runs JavaScript, and its arguments before the script. */
export const thisNode = { program: process.execPath, args: ["--expose-gc"] };

/**
 * Runs a measurement of `measure/`, and returns its output.
 *
 * @param {string} name
 * @param {object} options
 * @param {{ program: string, args: string[] }} runtime
 */
export async function measure(name, options, runtime = thisNode) {
  const args = [...runtime.args, `measure/${name}.mjs`, JSON.stringify(options)];
  const settings = { cwd: directory, timeout: TIMEOUT_MS, env: { ...process.env, NO_COLOR: "1" } };
  try {
    const { stdout } = await promisify(execFile)(runtime.program, args, settings);
    return JSON.parse(stdout.trimEnd().split("\n").at(-1));
  } catch (error) {
    const reason = /^.*Error.*$/m.exec(error.stderr)?.[0] ?? error.stderr ?? "";
    throw new Error(`${name} ${JSON.stringify(options)}: ${reason || error.message}`);
  }
}

/**
 * Runs each job once per round, so that other load on the machine meets all of them alike.
 *
 * @template T
 * @param {number} rounds
 * @param {Record<string, () => Promise<T>>} jobs
 * @returns {Promise<Record<string, T[]>>} the results of each
 */
export async function interleave(rounds, jobs) {
  const results = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
  const order = Object.entries(jobs);
  for (let round = 0; round < rounds; round++) {
    for (const [name, job] of order) results[name].push(await job());
    // The order changes, so that a job does not always follow the same one.
    order.reverse();
  }
  return results;
}

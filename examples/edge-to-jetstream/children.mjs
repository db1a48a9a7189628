// @ts-check

// Processes that end when this one does.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/**
 * @typedef {object} Child
 * @property {number | undefined} pid
 * @property {Promise<number | NodeJS.Signals>} ended resolves with the exit status, or the signal,
 * once it has ended and all that it wrote was read; rejects if there is no such program
 * @property {(name: NodeJS.Signals) => void} signal
 */

/** @type {Set<Child>} */
const running = new Set();
let isOver = false;

const killAll = () => {
  // A gentler signal lets workerd wait for what its requests wait for.
  for (const child of running) child.signal("SIGKILL");
};
process.once("exit", killAll);
// Without a handler, a signal would end this process alone.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));

/** Ends all that still run, waits for it, and lets nothing start any more. */
export async function stopAll() {
  isOver = true;
  killAll();
  await Promise.allSettled([...running].map(({ ended }) => ended));
}

/**
 * Starts a program, and passes on each line that it writes to the file descriptor `fd`.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, fd?: 1 | 2 | 3, onLine: (line: string) => void }} options
 * @returns {Child}
 */
export function startChild(command, args, { env, fd = 1, onLine }) {
  // Somebody was still preparing it.
  if (isOver) throw new Error(`${command} comes too late.`);
  const stdio = [0, 1, 2, 3].map((n) => (n === fd ? "pipe" : n === 2 ? "inherit" : "ignore"));
  const spawned = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: /** @type {import("node:child_process").StdioOptions} */ (stdio),
  });
  const output = /** @type {import("node:stream").Readable} */ (spawned.stdio[fd]);
  createInterface({ input: output }).on("line", onLine);

  const ended = once(spawned, "close").then(([code, signal]) => signal ?? code);
  const signal = (/** @type {NodeJS.Signals} */ name) => spawned.kill(name);
  const child = { pid: spawned.pid, ended, signal };
  running.add(child);
  const forget = () => running.delete(child);
  ended.then(forget, forget);
  return child;
}

/** Waits for an end that should not come yet. @param {string} name @param {Child} child @returns {Promise<never>} */
export async function endOf(name, child) {
  throw new Error(`${name} ended: ${await child.ended}.`);
}

/**
 * A program's version by its own account; undefined if there is no such program.
 *
 * @param {string} command
 */
export async function versionOf(command) {
  try {
    const { stdout } = await promisify(execFile)(command, ["--version"]);
    return /\d+\.\d[^\s,]*/.exec(stdout)?.[0] ?? "";
  } catch {
    return undefined;
  }
}

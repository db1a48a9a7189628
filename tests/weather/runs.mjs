// @ts-check

// Runs of a process with a store: one that is killed, and the last one, which sends the rest.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, within } from "../js/harness.mjs";

const program = fileURLToPath(new URL("life.mjs", import.meta.url));

/** The longest time of a step. */
export const LIMIT_MS = 60_000;

/** @typedef {Awaited<ReturnType<typeof import("./receivers.mjs").startReceiver>>} Receiver */

/** An event that a bus has accepted, and the time. @typedef {{ n: number, at: number }} Accepted */

/** @param {(directory: string) => Promise<void>} use */
export async function inDirectory(use) {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-weather-"));
  try {
    await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/**
 * Runs a process while the receiver is gone, and kills it once it has accepted enough. Returns the
 * accepted events, and the time of the kill.
 *
 * @param {string} directory
 * @param {Receiver} receiver
 * @param {(accepted: Accepted[]) => boolean} isEnough
 * @param {string[]} task
 */
export async function killedRun(directory, receiver, isEnough, ...task) {
  await receiver.become("gone");
  const child = fork(program, [directory, receiver.url, ...task]);
  try {
    /** @type {Accepted[]} */
    const accepted = [];
    child.on("message", (/** @type {any} */ message) => accepted.push(message));
    await eventually(
      () => isEnough(accepted),
      () => `${accepted.length} events`,
      LIMIT_MS,
    );
    const killedAt = Date.now();
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
    return { accepted, killedAt };
  } finally {
    child.kill("SIGKILL");
  }
}

/**
 * Runs the next process, with the receiver back, until it has sent everything. Returns the number of
 * events that its bus has delivered, and the events that the receiver has stored.
 *
 * @param {string} directory
 * @param {Receiver} receiver
 */
export async function lastRun(directory, receiver) {
  await receiver.become("up");
  const child = fork(program, [directory, receiver.url, "last"]);
  try {
    const exit = once(child, "exit");
    const [delivered] = await within(
      once(child, "message"),
      () => "the next start sends nothing",
      LIMIT_MS,
    );
    await within(exit, () => "the next start does not end", LIMIT_MS);
    const { stored } = await receiver.report();
    return { delivered: /** @type {number} */ (delivered), stored };
  } finally {
    child.kill("SIGKILL");
  }
}

// @ts-check
// A process with a fileStore is killed in an outage: the package at its defaults, a real receiver,
// real processes and a real disk.
import { assert, it } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";
import { inDirectory, killedRun, lastRun } from "./runs.mjs";

/** The longest wait of an event before its batch leaves: `batch.maxDelayMs`. */
const MAX_DELAY_MS = 1000;
/** The time of a write on a busy machine, beyond that. */
const MARGIN_MS = 3000;

/** @typedef {import("./runs.mjs").Accepted} Accepted */

/** The accepted events that must be in the store at a time. @param {Accepted[]} accepted */
const oldOf = (accepted, now = Date.now()) =>
  accepted.filter(({ at }) => at < now - MAX_DELAY_MS - MARGIN_MS);

it("events older than maxDelayMs when the process was killed are delivered at the next start", async (t) => {
  await inDirectory(async (directory) => {
    const receiver = await startReceiver();
    try {
      // Most of them came while others had failed before them.
      const isEnough = (/** @type {Accepted[]} */ accepted) => oldOf(accepted).length > 500;
      const { accepted, killedAt } = await killedRun(directory, receiver, isEnough);
      const old = oldOf(accepted, killedAt).map(({ n }) => n);
      const { delivered, stored } = await lastRun(directory, receiver);
      t.diagnostic(JSON.stringify({ accepted: accepted.length, old: old.length, delivered }));
      assert.isEmpty(old.filter((n) => !stored.includes(n)));
      assert.lengthOf(new Set(stored), delivered, "each once");
    } finally {
      await receiver.stop();
    }
  });
});

// @ts-check
// An outage in which more comes than memory is for, with a fileStore: real receivers in processes of
// their own, real SIGKILL and a real disk.
import { readdir } from "node:fs/promises";
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { accountedStats, assert, describe, it, within } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";
import { inDirectory, killedRun, LIMIT_MS, lastRun } from "./runs.mjs";
import { offerMuch, sendTo } from "./traffic.mjs";

/** The events of 1 KiB that are offered, and the size of the memory for them. */
const COUNT = 5 << 10;
const MAX_BYTES = 1 << 20;

/** The events of a batch, at most: `batch.maxBytes` is 256 KiB. */
const MAX_BATCH = 256;

/** The numbers from one up to another. @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);

/** The names of all batches there. @param {string} directory */
async function batchesIn(directory) {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith(".batch"));
}

/**
 * Offers 5 MiB to a bus while the receiver is gone; then it comes back. Returns the number of events
 * that `onDrop` was told of.
 *
 * @param {import("shardbus/stores/fs").FileStoreOptions} options
 */
async function outlast(options) {
  const receiver = await startReceiver();
  await receiver.become("gone");
  let lost = 0;
  /** @type {unknown[]} */
  const troubles = [];
  const bus = new EventBus(sendTo(receiver.url), {
    maxBytes: MAX_BYTES,
    store: fileStore(options),
    onDrop: (drop) => {
      lost += drop.count;
      if (drop.reason !== "evicted") troubles.push(drop);
    },
    onStoreError: (error) => troubles.push(error),
  });
  try {
    await within(offerMuch(bus, COUNT), () => "there is no room for long", LIMIT_MS);
    assert.isAtLeast(accountedStats(bus).bytes.spilled, MAX_BYTES / 2);
    await receiver.become("up");
    await within(bus.flush(), () => `${bus.stats().delivered} are there`, LIMIT_MS);
    const { stored } = await receiver.report();
    await bus.close();
    assert.isEmpty(troubles);
    assert.strictEqual(accountedStats(bus).evicted, lost);
    // A batch cannot go while it is tried.
    const tried = stored.findIndex((n, nth) => n - nth === lost);
    assert.isAtMost(tried, MAX_BATCH);
    assert.deepEqual(stored.slice(tried), range(lost + tried, COUNT), "the newest, in order");
    assert.isEmpty(await batchesIn(options.directory.toString()));
    return lost;
  } finally {
    await bus.close({ timeoutMs: 0 });
    await receiver.stop();
  }
}

describe("an outage longer than memory lasts", () => {
  it("loses nothing while the store has room", async () => {
    await inDirectory(async (directory) => {
      assert.strictEqual(await outlast({ directory }), 0);
    });
  });

  it("loses the oldest events when the store is full, and tells each once", async () => {
    await inDirectory(async (directory) => {
      assert.isAtLeast(await outlast({ directory, maxBytes: 2 << 20 }), COUNT / 2);
    });
  });

  it("and ends in SIGKILL: the next start sends all that the store has", async () => {
    await inDirectory(async (directory) => {
      const receiver = await startReceiver();
      try {
        const isEnough = (/** @type {unknown[]} */ accepted) => accepted.length > 3 * 1024;
        await killedRun(directory, receiver, isEnough, "much");
        assert.isNotEmpty(await batchesIn(directory));
        const { delivered, stored } = await lastRun(directory, receiver);
        // Memory would have had room for a third.
        assert.isAtLeast(delivered, 2 * 1024);
        assert.deepEqual(stored, range(0, delivered));
        assert.isEmpty(await batchesIn(directory));
      } finally {
        await receiver.stop();
      }
    });
  });
});

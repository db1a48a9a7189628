// @ts-check
// The store's copy of a batch that is settled at an unusual moment.
import "./settable-clock.mjs";
import { DeliveryError } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  describe,
  eventually,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  it,
  within,
} from "./harness.mjs";
import { MemoryStore } from "./memory-store.mjs";
import { busWith, leftStore, nextRun, sentNext } from "./outbox-bus.mjs";
import { advanceClock } from "./settable-clock.mjs";

/** Waits until a call is cut off. @param {{ signal: AbortSignal } | undefined} call */
async function cutOff(call) {
  const { promise, resolve } = deferred();
  call?.signal.addEventListener("abort", () => resolve());
  await within(promise, () => "the attempt is not cut off");
}

/** Makes an operation of a store wait. @param {MemoryStore} store @param {"write" | "remove" | "read"} operation */
function holdUp(store, operation) {
  const { promise, resolve } = deferred();
  const begun = deferred();
  store.faults[operation] = () => {
    begun.resolve();
    return promise;
  };
  return {
    begun: () => within(begun.promise, () => `waited for ${operation}: ${store.log}`),
    goOn: resolve,
  };
}

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  describe(`settlement with an outbox, ${scheduler}`, () => {
    it("a late success of an attempt that was cut off leaves the copy to the next attempt", async () => {
      const store = new MemoryStore();
      const retry = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };
      const options = { scheduler, timeoutMs: 30, retry };
      const { bus, sink } = busWith([hang], store, options);
      bus.ingestBatch([1, 2]);
      const flushed = bus.flush();
      const [call] = await sink.calls(1);
      await cutOff(call);
      call?.release();
      await idle();
      assert.equal(accountedStats(bus).inFlight, 2, "the retry is pending");
      assert.deepEqual(await sentNext(store), [1, 2], "if the process ended now");
      await bus.close();
      await flushed;
      assert.deepEqual(await nextRun(store), [], "the retry has delivered it");
    });

    it("a batch delivered while close writes the rest is not left to the next run", async () => {
      const store = new MemoryStore();
      const { bus, sink } = busWith([hang, hangUntilAborted], store, { scheduler });
      bus.ingestBatch([1, 2, 3, 4]);
      const flushed = bus.flush();
      const [call] = await sink.calls(1);
      const writing = holdUp(store, "write");
      const closed = bus.close({ timeoutMs: 0 });
      await writing.begun();
      call?.release();
      await idle();
      writing.goOn();
      assert.include(await closed, { delivered: 2, drained: 2, abandoned: 0 });
      await flushed;
      accountedStats(bus);
      assert.deepEqual(await nextRun(store), [3, 4]);
    });

    it("a batch abandoned while close writes the rest is reported, and not left to the next run", async () => {
      const store = new MemoryStore();
      const { bus, sink, drops } = busWith([hang, hangUntilAborted], store, { scheduler });
      bus.ingestBatch([1, 2, 3, 4]);
      const flushed = bus.flush();
      const [call] = await sink.calls(1);
      const writing = holdUp(store, "write");
      const closed = bus.close({ timeoutMs: 0 });
      await writing.begun();
      call?.fail(new DeliveryError("never", { retryable: false }));
      await idle();
      writing.goOn();
      assert.include(await closed, { delivered: 0, drained: 2, abandoned: 2 });
      await flushed;
      assert.deepEqual(
        drops.map(({ reason, batch }) => [reason, batch?.events()]),
        [["permanent", [1, 2]]],
      );
      assert.deepEqual(await nextRun(store), [3, 4]);
    });

    for (const end of ["delivered", "given up"]) {
      it(`once close has ${end} the batches of an earlier run in memory, it leaves the rest`, async () => {
        const { store } = await leftStore([1, 2, 3, 4, 5, 6]);
        store.faults = { remove: idle };
        const { bus, sink } = busWith([hang], store, { scheduler });
        await bus.flush({ timeoutMs: 0 });
        const [call] = await sink.calls(1);
        await eventually(
          () => bus.stats().restored === 4,
          () => "the next is not read",
        );
        bus.ingestBatch([7, 8]);
        const closed = bus.close();
        await sink.calls(2);
        if (end === "delivered") call?.release();
        else call?.fail(new DeliveryError("never", { retryable: false }));
        assert.include(await closed, { pending: 0, drained: 0, timedOut: false });
        const sent = sink.log.map(({ events }) => events);
        assert.deepEqual(sent, [
          [1, 2],
          [7, 8],
          [3, 4],
        ]);
        assert.deepEqual(await nextRun(store), [5, 6]);
      });
    }

    it("a batch of an earlier run that never succeeds delays no new events", async () => {
      const { store, ids } = await leftStore([1, 2, 3, 4]);
      /** @param {{ id: string }} call */
      const step = async ({ id }) => {
        if (id === ids[0]) throw new Error("it cannot be sent");
      };
      const { bus, sink } = busWith(Array(10_000).fill(step), store, { scheduler });
      const fresh = [...Array(20).keys()].map((n) => n + 5);
      bus.ingestBatch(fresh);
      const arrived = async () => {
        // It waits for the earlier run's batches, too, in vain.
        await bus.flush({ timeoutMs: 20 });
        return bus.stats().delivered >= fresh.length;
      };
      await eventually(arrived, () => `${sink.delivered()} are there`);
      assert.deepEqual(sink.delivered(), fresh);
      assert.equal(bus.stats().inFlight, 4, "and the batch behind it, to compare with");
      await bus.close({ timeoutMs: 0 });
      assert.deepEqual(await nextRun(store), [1, 2, 3, 4]);
    });

    it("close releases the store once settled batches are removed from it", async () => {
      const store = new MemoryStore();
      const { bus } = busWith([], store, { scheduler });
      bus.ingestBatch([1, 2]);
      bus.saveSync();
      const removing = holdUp(store, "remove");
      bus.drain();
      const closed = bus.close();
      await removing.begun();
      await idle();
      assert.notInclude(store.operations, "close");
      removing.goOn();
      await closed;
      assert.equal(store.operations.at(-1), "close");
      assert.equal(store.batches.size, 0);
    });

    it("an attempt that succeeds after close leaves the copy to the next run", async () => {
      const store = new MemoryStore();
      const { bus, sink } = busWith([hang], store, { scheduler });
      bus.ingestBatch([1, 2]);
      const flushed = bus.flush();
      const [call] = await sink.calls(1);
      await bus.close({ timeoutMs: 0 });
      await flushed;
      call?.release();
      await idle();
      assert.equal(store.operations.at(-1), "close", "nothing is asked of the store any more");
      assert.deepEqual(await nextRun(store), [1, 2]);
    });
  });
}

describe("two requests restore the batches of an earlier run at once", () => {
  it("send each batch once, in order, and lose none", async () => {
    const { store, ids } = await leftStore([1, 2, 3, 4, 5]);
    const reading = holdUp(store, "read");
    const { bus, sink, errors } = busWith([], store, { scheduler: "manual" });
    const flushes = [bus.flush(), bus.flush()];
    await reading.begun();
    await idle();
    reading.goOn();
    await Promise.all(flushes);
    assert.deepEqual(
      sink.log.map(({ id, events }) => [id, events]),
      [
        [ids[0], [1, 2]],
        [ids[1], [3, 4]],
        [ids[2], [5]],
      ],
    );
    assert.equal(store.operations.filter((name) => name === "open").length, 1);
    assert.isEmpty(errors);
    assert.equal(store.batches.size, 0);
    assert.equal(store.asideBatches.size, 0);
    assert.equal(accountedStats(bus).restored, 5);
    await bus.close();
  });

  it("send each batch once, although the one that reads was taken for lost", async () => {
    const { store } = await leftStore([1, 2, 3, 4, 5]);
    const reading = holdUp(store, "read");
    const { bus, sink, errors } = busWith([], store, { scheduler: "manual" });
    const first = bus.flush();
    await reading.begun();
    advanceClock(5000);
    const second = bus.flush();
    await idle();
    const reads = store.log.filter((line) => line.startsWith("read"));
    assert.lengthOf(reads, 2, "both read");
    assert.equal(reads[0], reads[1], "the same batch");
    reading.goOn();
    await Promise.all([first, second]);
    assert.deepEqual(sink.delivered(), [1, 2, 3, 4, 5]);
    assert.isEmpty(errors);
    assert.equal(accountedStats(bus).restored, 5);
    await bus.close();
  });

  it("go on with the next batch, should the one that reads hear nothing of the store", async () => {
    const { store } = await leftStore([1, 2, 3, 4, 5]);
    const options = { scheduler: /** @type {const} */ ("manual"), timeoutMs: 800 };
    const { bus, sink } = busWith([], store, options);
    const reading = holdUp(store, "read");
    const first = bus.flush();
    await reading.begun();
    store.faults = {};
    await bus.flush();
    await first;
    assert.deepEqual(sink.delivered(), [3, 4, 5]);
    assert.equal(store.asideBatches.size, 0);
    await bus.close();
    assert.deepEqual(await nextRun(store), [1, 2], "it stays for the next start");
  });
});

// @ts-check
// Events in the store: those that have waited for long, and those that a caller waits for.
import { EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  describe,
  eventually,
  fail,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  it,
  rejection,
} from "./harness.mjs";
import { failing, hanging, MemoryStore } from "./memory-store.mjs";
import { busWith, sentNext } from "./outbox-bus.mjs";

const slow = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };

it("events that have waited for maxDelayMs are in the store before their turn to be sent", async () => {
  const store = new MemoryStore();
  const batch = { minSize: 2, maxSize: 2, maxDelayMs: 20 };
  const { bus, errors } = busWith([fail(new Error("down"))], store, { batch, retry: slow });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const isThere = async () => (await sentNext(store)).length === 5;
  await eventually(isThere, () => `${store.log}`);
  bus.ingest(6);
  const isThereToo = async () => (await sentNext(store)).length === 6;
  await eventually(isThereToo, () => `${store.log}`);
  assert.deepEqual(await sentNext(store), [1, 2, 3, 4, 5, 6]);
  assert.equal(store.operations.filter((name) => name === "write").length, store.batches.size);
  assert.isEmpty(errors);
  await bus.close({ timeoutMs: 0 });
});

it("events behind a batch in flight are in the store until they are delivered", async () => {
  const store = new MemoryStore();
  const batch = { minSize: 1, maxSize: 100, maxDelayMs: 20 };
  const { bus, sink } = busWith([hang], store, { batch });
  bus.ingest(1);
  const [call] = await sink.calls(1);
  bus.ingestBatch([2, 3]);
  await eventually(
    () => store.batches.size === 2,
    () => `${store.log}`,
  );
  call?.release();
  await bus.flush();
  assert.deepEqual(sink.delivered(), [1, 2, 3]);
  assert.equal(store.batches.size, 0);
  await bus.close();
});

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  describe(`persisted, ${scheduler}`, () => {
    it("resolves once everything is in the store, whether or not it is sent", async () => {
      const store = new MemoryStore();
      const written = deferred();
      store.faults.write = () => written.promise;
      const batch = { minSize: 100, maxDelayMs: HOUR_MS };
      const { bus, sink } = busWith([hang], store, { scheduler, batch });
      bus.ingestBatch([1, 2, 3]);
      let isPersisted = false;
      const persisted = bus.persisted().then(() => {
        isPersisted = true;
      });
      await idle();
      assert.isFalse(isPersisted);
      written.resolve();
      await persisted;
      assert.isEmpty(sink.delivered());
      assert.deepEqual(await sentNext(store), [1, 2, 3]);
      const writes = store.log.length;
      await bus.persisted();
      assert.lengthOf(store.log, writes, "what is there is not written again");
      const closed = bus.close();
      const [call] = await sink.calls(1);
      call?.release();
      await closed;
      assert.equal(store.batches.size, 0);
    });

    it("resolves for events delivered meanwhile, although the store does not take them", async () => {
      const store = new MemoryStore();
      store.faults.write = failing;
      const { bus, sink } = busWith([], store, { scheduler });
      bus.ingestBatch([1, 2]);
      await bus.flush();
      await bus.persisted();
      assert.deepEqual(sink.delivered(), [1, 2]);
      await bus.close();
    });

    it("rejects if the store does not take the pending events", async () => {
      const store = new MemoryStore();
      store.faults.write = failing;
      const options = { scheduler, batch: { maxDelayMs: HOUR_MS } };
      const { bus, errors } = busWith([hangUntilAborted], store, options);
      bus.ingest(1);
      const error = await rejection(bus.persisted());
      assert.include(error, { code: "ERR_STORE", operation: "write" });
      assert.match(errors[0].message, /the disk is full/);
      store.faults = {};
      await bus.persisted();
      assert.equal(store.batches.size, 1);
      await bus.close({ timeoutMs: 0 });
    });

    it("asks a store that does not answer for few of many batches, and for all once it does", async () => {
      const store = new MemoryStore();
      store.faults.write = hanging;
      const batch = { minSize: 1, maxSize: 1, maxDelayMs: HOUR_MS };
      const options = { scheduler, batch, timeoutMs: 40, retry: slow };
      const { bus, errors } = busWith([fail(new Error("down"))], store, options);
      bus.ingestBatch(Array(2000).fill(1));
      const writes = () => store.operations.filter((name) => name === "write").length;
      assert.include(await rejection(bus.persisted()), { code: "ERR_STORE" });
      assert.isBelow(writes(), 100);
      assert.lengthOf(errors, writes());
      store.faults = {};
      store.log = [];
      await bus.persisted();
      assert.equal(accountedStats(bus).store?.batches, 2000);
      await bus.close({ timeoutMs: 0 });
    });

    it("is as flush without a store", async () => {
      /** @type {number[]} */
      const sent = [];
      const callback = (/** @type {import("shardbus").Batch<number>} */ batch) => {
        sent.push(...batch.events());
      };
      const bus = new EventBus(callback, { scheduler });
      bus.ingest(1);
      await bus.persisted();
      assert.deepEqual(sent, [1]);
      await bus.close();
      await bus.persisted();
    });

    it("leaves nothing in the store that a partial outcome delivered", async () => {
      const store = new MemoryStore();
      const batch = { minSize: 6, maxSize: 6 };
      const outcomes = { rejected: [{ index: 3, error: "bad" }], retry: [1, 2, 5] };
      const { bus, sink } = busWith([async () => outcomes, hangUntilAborted], store, {
        scheduler,
        batch,
      });
      bus.ingestBatch([0, 1, 2, 3, 4, 5]);
      const flushed = bus.flush({ timeoutMs: 5000 });
      await sink.calls(2);
      await bus.persisted();
      await eventually(
        async () => (await sentNext(store)).length === 3,
        () => `${store.log}`,
      );
      assert.deepEqual(await sentNext(store), [1, 2, 5]);
      await bus.close({ timeoutMs: 0 });
      await flushed;
      assert.deepEqual(await sentNext(store), [1, 2, 5]);
    });

    it("a delivered batch counts as delivered, though the store is slow to remove it while close ends", async () => {
      const store = new MemoryStore();
      const removing = deferred();
      const begun = deferred();
      store.faults.remove = () => {
        begun.resolve();
        return removing.promise;
      };
      const { bus, drops } = busWith([], store, { scheduler });
      bus.ingestBatch([1, 2]);
      const flushed = bus.flush();
      await begun.promise;
      const closed = bus.close({ timeoutMs: 0 });
      await idle();
      removing.resolve();
      assert.include(await closed, { delivered: 2, drained: 0, abandoned: 0 });
      await flushed;
      assert.equal(accountedStats(bus).delivered, 2);
      assert.isEmpty(drops);
      assert.equal(store.batches.size, 0);
    });

    it("a batch delivered in time is not sent again, though the store is slow to remove it", async () => {
      const store = new MemoryStore();
      const removing = deferred();
      store.faults.remove = () => removing.promise;
      const { bus, sink } = busWith([], store, { scheduler, timeoutMs: 80 });
      bus.ingestBatch([1, 2]);
      await bus.flush();
      removing.resolve();
      assert.lengthOf(sink.log, 1);
      assert.equal(accountedStats(bus).delivered, 2);
      await bus.close();
    });

    it("saveSync is false unless the store has everything", async () => {
      const store = new MemoryStore();
      let writes = 0;
      const writeSync = store.writeSync.bind(store);
      store.writeSync = (key, bytes) => {
        if (++writes === 2) throw new Error("the disk is full");
        writeSync(key, bytes);
      };
      const { bus, errors } = busWith([], store, { scheduler, batch: { maxSize: 1, minSize: 1 } });
      bus.ingestBatch([1, 2, 3]);
      assert.isFalse(bus.saveSync());
      assert.lengthOf(errors, 1);
      assert.equal(store.batches.size, 2);
      assert.isTrue(bus.saveSync(), "now there is room");
      assert.equal(store.batches.size, 3);
      await bus.close();
    });
  });
}

it("batches in another format stay in the store, and are reported", async () => {
  const store = new MemoryStore();
  const { bus } = busWith([hangUntilAborted], store);
  bus.ingestBatch([1, 2]);
  await bus.close({ timeoutMs: 0 });
  for (const bytes of store.batches.values()) bytes[8] = 9;
  const next = busWith([], store);
  await next.bus.flush();
  assert.match(next.errors[0].message, /another version/);
  assert.lengthOf(next.errors, 1);
  assert.equal(store.batches.size, 1);
  assert.equal(store.asideBatches.size, 0);
  await next.bus.close();
});

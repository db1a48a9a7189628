// @ts-check
import { DeliveryError, EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  describe,
  fail,
  hang,
  hangUntilAborted,
  idle,
  it,
  succeed,
  sum,
  thrown,
} from "./harness.mjs";
import { failing, hanging, MemoryStore } from "./memory-store.mjs";
import { busWith, leftStore, sentNext } from "./outbox-bus.mjs";

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  describe(`an outbox, ${scheduler}`, () => {
    it("has a batch from before its first attempt until it is delivered", async () => {
      const store = new MemoryStore();
      const { bus, sink, errors } = busWith([fail("no"), hang], store, { scheduler });
      bus.ingestBatch([1, 2]);
      const flushed = bus.flush();
      const [first, second] = await sink.calls(2);
      assert.equal(store.batches.size, 1, "while the second attempt is under way");
      second?.release();
      await flushed;
      assert.equal(store.batches.size, 0);
      const key = `${String(first?.batch.firstTimestamp).padStart(20, "0")}-${first?.id}`;
      assert.deepEqual(store.log, ["open", `write ${key}`, `remove ${key}`]);
      await bus.close();
      assert.equal(store.operations.at(-1), "close");
      assert.isEmpty(errors);
    });

    it("sends the batches of an earlier run beside new events, in order, with their old ids", async () => {
      const { store, ids } = await leftStore([1, 2, 3, 4, 5]);
      assert.lengthOf(ids, 3);
      const { bus, sink } = busWith([], store, { scheduler });
      bus.ingestBatch([6, 7]);
      await bus.flush();
      const isOld = (/** @type {{ id: string }} */ { id }) => ids.includes(id);
      const old = sink.log.filter(isOld).map(({ id, events }) => [id, events]);
      assert.deepEqual(old, [
        [ids[0], [1, 2]],
        [ids[1], [3, 4]],
        [ids[2], [5]],
      ]);
      const fresh = sink.log.filter((call) => !isOld(call));
      assert.deepEqual(
        fresh.map(({ events }) => events),
        [[6, 7]],
      );
      assert.notEqual(fresh[0]?.id.slice(0, 16), ids[0]?.slice(0, 16), "another life");
      assert.equal(store.batches.size, 0);
      const { offered, restored, delivered } = accountedStats(bus);
      assert.deepEqual([offered, restored, delivered], [7, 5, 7]);
      await bus.close();
    });

    it("retries recovered batches like any others, and splits them", async () => {
      const { store, ids } = await leftStore([1, 2, 3]);
      const tooLarge = new DeliveryError("too large", { tooLarge: true });
      const { bus, sink } = busWith([fail("no"), fail(tooLarge)], store, { scheduler });
      await bus.flush();
      assert.deepEqual(
        sink.log.map(({ id, attempt, events }) => [id, attempt, events]),
        [
          [ids[0], 1, [1, 2]],
          [ids[0], 2, [1, 2]],
          [ids[0], 1, [1]],
          [ids[0]?.replace(/0$/, "1"), 1, [2]],
          [ids[1], 1, [3]],
        ],
      );
      assert.equal(store.batches.size, 0);
      await bus.close();
    });

    it("gets the events that close could not deliver", async () => {
      const store = new MemoryStore();
      const { bus, sink, drops } = busWith([hangUntilAborted], store, { scheduler });
      bus.ingestBatch([1, 2, 3, 4, 5]);
      const report = await bus.close({ timeoutMs: 0 });
      assert.include(report, { drained: 5, abandoned: 0, pending: 0, timedOut: true });
      assert.isEmpty(drops);
      assert.equal(store.batches.size, 3);
      assert.equal(accountedStats(bus).drained, 5);
      assert.isTrue(sink.log.every((call) => call.signal.aborted));
    });

    it("gets the events of a bus that closes at once", async () => {
      const { store } = await leftStore([1, 2]);
      const { bus, errors } = busWith([hangUntilAborted], store, { scheduler });
      bus.ingestBatch([3, 4]);
      await bus.close({ timeoutMs: 0 });
      assert.equal(store.operations.filter((name) => name === "open").length, 1);
      assert.equal(store.operations[0], "open");
      assert.equal(store.batches.size, 2);
      assert.isEmpty(errors);
    });

    it("is open before anything is written to it", async () => {
      const store = new MemoryStore();
      const opening = deferred();
      store.faults = { open: () => opening.promise };
      const { bus } = busWith([hangUntilAborted], store, { scheduler });
      bus.ingestBatch([1, 2]);
      const closed = bus.close({ timeoutMs: 0 });
      await idle();
      assert.deepEqual(store.log, ["open"]);
      opening.resolve();
      await closed;
      assert.equal(store.batches.size, 1);
    });

    it("does not mistake saveSync's writes before the opening for an earlier run's", async () => {
      const { store } = await leftStore([1, 2]);
      const { bus, sink } = busWith([], store, { scheduler });
      bus.ingestBatch([3, 4]);
      assert.isTrue(bus.saveSync());
      assert.equal(store.batches.size, 2);
      assert.include(await bus.flush({ timeoutMs: 2000 }), { pending: 0, timedOut: false });
      assert.sameMembers(sink.delivered(), [1, 2, 3, 4]);
      assert.equal(accountedStats(bus).restored, 2);
      assert.equal(store.batches.size, 0);
      await bus.close();
    });

    it("forgets batches that saveSync wrote before it was open, once they are drained", async () => {
      const store = new MemoryStore();
      const { bus, sink } = busWith([], store, { scheduler });
      bus.ingestBatch([1, 2]);
      assert.isTrue(bus.saveSync());
      assert.lengthOf(bus.drain(), 1);
      await bus.flush();
      await bus.close();
      assert.isEmpty(sink.log);
      assert.equal(store.batches.size, 0);
    });

    it("leaves batches in the store that it had no time to restore", async () => {
      const { store } = await leftStore([1, 2, 3, 4, 5]);
      const { bus } = busWith([hangUntilAborted], store, { scheduler });
      await bus.close({ timeoutMs: 0 });
      assert.equal(store.batches.size, 3);
      const next = busWith([], store, { scheduler });
      await next.bus.flush();
      assert.deepEqual(next.sink.delivered(), [1, 2, 3, 4, 5]);
      await next.bus.close();
    });

    it("quarantines a damaged batch, reports it, and goes on", async () => {
      const { store } = await leftStore([1, 2, 3, 4]);
      const [key = ""] = store.batches.keys();
      store.batches.set(key, new Uint8Array([1, 2, 3]));
      const { bus, sink, errors } = busWith([], store, { scheduler });
      await bus.flush();
      assert.deepEqual(sink.delivered(), [3, 4]);
      assert.deepEqual([...store.asideBatches.keys()], [key]);
      assert.lengthOf(errors, 1);
      assert.include(errors[0], { code: "ERR_STORE", operation: "read", key });
      assert.match(errors[0].message, /damaged/);
      await bus.close();
    });

    for (const fault of [failing, hanging]) {
      const kind = fault === failing ? "fails" : "hangs";
      it(`sends the events in memory although the store ${kind}`, async () => {
        const store = new MemoryStore();
        store.faults = { write: fault, remove: fault, close: fault };
        const { bus, sink, errors } = busWith([], store, { scheduler, timeoutMs: 400 });
        bus.ingestBatch([1, 2]);
        await bus.flush();
        assert.deepEqual(sink.delivered(), [1, 2]);
        await bus.close();
        assert.sameMembers(
          errors.map(({ operation }) => operation),
          ["write", "remove", "close"],
        );
        assert.equal(errors[0].code, "ERR_STORE");
      });

      it(`goes on without a store whose opening ${kind}`, async () => {
        const store = new MemoryStore();
        store.faults = { open: fault };
        const { bus, sink, errors } = busWith([], store, { scheduler, timeoutMs: 400 });
        bus.ingestBatch([1, 2]);
        await bus.flush();
        assert.deepEqual(sink.delivered(), [1, 2]);
        assert.deepEqual(store.operations, ["open"]);
        assert.lengthOf(errors, 1);
        await bus.close();
      });

      it(`goes on with the next batch if reading one ${kind}`, async () => {
        const { store } = await leftStore([1, 2, 3, 4]);
        let reads = 0;
        store.faults = { read: () => (++reads === 1 ? fault() : Promise.resolve()) };
        const { bus, sink, errors } = busWith([], store, { scheduler, timeoutMs: 400 });
        await bus.flush();
        assert.deepEqual(sink.delivered(), [3, 4]);
        assert.equal(store.batches.size, 1, "it stays for the next start");
        assert.equal(errors[0].operation, "read");
        await bus.close();
      });
    }

    it("uses a store that opens after its time limit from then on", async () => {
      const { store } = await leftStore([1, 2]);
      const opening = deferred();
      store.faults = { open: () => opening.promise };
      const sending = deferred();
      const held = () => sending.promise;
      const options = { scheduler, timeoutMs: 400 };
      const { bus, sink, errors } = busWith([succeed, held, held], store, options);
      bus.ingestBatch([3, 4]);
      await bus.flush();
      assert.deepEqual(
        errors.map(({ operation }) => operation),
        ["open"],
      );
      opening.resolve();
      await idle();
      bus.ingestBatch([5, 6]);
      await bus.persisted();
      assert.includeMembers(await sentNext(store), [5, 6]);
      sending.resolve();
      await bus.flush();
      assert.sameMembers(sink.delivered(), [1, 2, 3, 4, 5, 6]);
      assert.equal(store.batches.size, 0);
      await bus.close();
    });

    for (const [what, open] of /** @type {[string, any][]} */ ([
      ["throws at once", () => JSON.parse("{")],
      ["says nothing", async () => undefined],
      ["says what is no list", async () => 1],
    ])) {
      it(`goes on, and reports, if a store's opening ${what}`, async () => {
        const store = new MemoryStore();
        store.open = open;
        const { bus, sink, errors } = busWith([], store, { scheduler });
        bus.ingestBatch([1, 2]);
        await bus.flush({ timeoutMs: 2000 });
        assert.deepEqual(sink.delivered(), [1, 2]);
        assert.deepEqual(
          errors.map(({ code, operation }) => [code, operation]),
          [["ERR_STORE", "open"]],
        );
        await bus.close();
      });
    }

    for (const bytes of /** @type {any[]} */ ([null, "text", 1, new ArrayBuffer(8)])) {
      it(`goes on, and reports, if a store reads ${bytes}`, async () => {
        const { store } = await leftStore([1, 2, 3, 4]);
        const [key] = store.batches.keys();
        const read = store.read.bind(store);
        store.read = async (asked) => (asked === key ? bytes : read(asked));
        const { bus, sink, errors } = busWith([], store, { scheduler });
        await bus.flush({ timeoutMs: 2000 });
        assert.deepEqual(sink.delivered(), [3, 4]);
        assert.lengthOf(errors, 1);
        assert.include(errors[0], { code: "ERR_STORE", operation: "read", key });
        assert.isTrue(store.batches.has(String(key)), "it is not taken for damaged");
        await bus.close();
      });
    }

    it("hands to onDrop the events that neither the receiver nor the store took", async () => {
      const store = new MemoryStore();
      store.faults = { write: failing };
      const { bus, drops } = busWith([hangUntilAborted], store, { scheduler });
      bus.ingestBatch([1, 2, 3]);
      const report = await bus.close({ timeoutMs: 0 });
      assert.include(report, { drained: 0, abandoned: 3 });
      assert.equal(sum(drops.map(({ count }) => count)), 3);
      assert.isTrue(drops.every(({ reason }) => reason === "shutdown"));
    });

    it("forgets abandoned and drained batches", async () => {
      const store = new MemoryStore();
      const permanent = new DeliveryError("never", { retryable: false });
      const { bus } = busWith([fail(permanent)], store, { scheduler });
      bus.ingestBatch([1, 2]);
      await bus.flush();
      bus.ingest(3);
      assert.lengthOf(bus.drain(), 1);
      await bus.close();
      assert.equal(store.batches.size, 0);
    });

    it("has a half whose whole it did not take", async () => {
      const store = new MemoryStore();
      let writes = 0;
      store.faults = { write: async () => void (++writes === 1 && (await failing())) };
      const tooLarge = new DeliveryError("too large", { tooLarge: true });
      const script = [fail(tooLarge), succeed, hangUntilAborted];
      const { bus, sink } = busWith(script, store, { scheduler });
      bus.ingestBatch([1, 2]);
      const closed = bus.close({ timeoutMs: 1000 });
      await sink.calls(3);
      assert.equal(store.batches.size, 1, "the second half, while it is being sent");
      await closed;
      const next = busWith([], store, { scheduler });
      await next.bus.flush();
      assert.deepEqual(next.sink.delivered(), [2]);
      await next.bus.close();
    });

    it("keeps the whole of a batch until one half is settled, and then the other", async () => {
      const store = new MemoryStore();
      const tooLarge = new DeliveryError("too large", { tooLarge: true });
      const { bus, sink } = busWith([fail(tooLarge), hang, hang], store, { scheduler });
      bus.ingestBatch([1, 2]);
      const flushed = bus.flush();
      const [, first] = await sink.calls(2);
      first?.release();
      const [, , second] = await sink.calls(3);
      assert.deepEqual(store.operations, ["open", "write", "write", "remove"]);
      assert.equal(store.batches.size, 1);
      assert.deepEqual(await sentNext(store), [2]);
      second?.release();
      await flushed;
      assert.equal(store.batches.size, 0);
      await bus.close();
    });
  });
}

it("an outbox keeps a batch's format, with any format of the next run", async () => {
  const { store } = await leftStore([1, 2]);
  const { bus, sink } = busWith([], store, { format: "json" });
  bus.ingestBatch([3, 4]);
  await bus.flush();
  const bodies = sink.log.map(({ contentType, text }) => [contentType, text]);
  assert.sameDeepMembers(bodies, [
    ["application/x-ndjson", "1\n2"],
    ["application/json", "[3,4]"],
  ]);
  await bus.close();
});

it("recovered batches are sent without a flush", async () => {
  const { store } = await leftStore([1, 2]);
  const { bus, sink } = busWith([], store);
  await sink.calls(1);
  await bus.close();
  assert.deepEqual(sink.delivered(), [1, 2]);
});

it("a batch that is larger than the next run allows stays in the store", async () => {
  const { store } = await leftStore(["a".repeat(40), "b".repeat(40)]);
  const batch = { maxBytes: 50 };
  const { bus, errors } = busWith([], store, { batch });
  await bus.flush();
  assert.match(errors[0].message, /batch\.maxBytes/);
  assert.equal(store.batches.size, 1);
  await bus.close();
});

it("saveSync writes all events before it returns", async () => {
  const store = new MemoryStore();
  const { bus, sink } = busWith([hang], store);
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const [first] = await sink.calls(1);
  assert.isTrue(bus.saveSync());
  assert.equal(store.batches.size, 3);
  first?.release();
  await bus.flush();
  assert.deepEqual(sink.delivered(), [1, 2, 3, 4, 5]);
  assert.equal(store.batches.size, 0);
  await bus.close();
  assert.isFalse(bus.saveSync());
  assert.isFalse(new EventBus(() => {}).saveSync(), "without a store");
});

it("saveSync writes batches with the id of their run, even if nothing was sent yet", async () => {
  const stores = [new MemoryStore(), new MemoryStore()];
  for (const store of stores) {
    const { bus } = busWith([hangUntilAborted], store);
    bus.ingest(1);
    assert.isTrue(bus.saveSync());
    await bus.close({ timeoutMs: 0 });
  }
  const [[first], [second]] = /** @type {any} */ (stores.map(({ batches }) => [...batches.keys()]));
  assert.notEqual(first.slice(21, 37), second.slice(21, 37));
});

it("a value that is no store is rejected", () => {
  const notAStore = /** @type {any} */ ({ open() {} });
  assert.equal(thrown(() => busWith([], notAStore)).option, "store");
});

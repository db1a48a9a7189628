// @ts-check
import { DeliveryError, EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  fail,
  HOUR_MS,
  hang,
  idle,
  recorder,
  sum,
  test,
} from "./harness.mjs";

/** @param {import("shardbus").Batch[]} batches */
const events = (batches) => batches.flatMap((batch) => batch.events());

test("drain takes everything out at once, and nobody else gets it", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { shards: 2, batch: { maxSize: 3 } });
  bus.ingestBatch(Array.from({ length: 20 }, (_, i) => ({ i })));
  const batches = bus.drain();
  assert.sameDeepMembers(
    events(batches),
    Array.from({ length: 20 }, (_, i) => ({ i })),
  );
  assert.isTrue(batches.every((batch) => batch.count <= 3));
  const { drained, pending, bytes } = accountedStats(bus);
  assert.deepEqual([drained, pending, bytes.held], [20, 0, 0]);
  assert.deepEqual(bus.drain(), []);
  await bus.close();
  assert.isEmpty(sink.log);
});

test("drained batches are numbered with the others", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback);
  bus.ingestBatch([1, 2]);
  const [drained] = bus.drain();
  bus.ingest(3);
  await bus.flush();
  assert.equal(drained?.sequence, 0);
  assert.equal(sink.log[0]?.sequence, 2);
  const nonces = [drained?.id, sink.log[0]?.id].map((id) => id?.split("-")[0]);
  assert.equal(nonces[0], nonces[1]);
});

for (const format of /** @type {const} */ (["ndjson", "json"])) {
  test(`drain takes no more than maxBytes, oldest first: ${format}`, () => {
    for (const maxBytes of [0, 1, 11, 12, 13, 60, 61, 62, 100, 130, 1000]) {
      const bus = new EventBus(() => {}, { format, batch: { maxSize: 5, maxDelayMs: HOUR_MS } });
      const offered = Array.from({ length: 20 }, (_, i) => `event ${i + 10}`);
      bus.ingestBatch(offered);
      const batches = bus.drain({ maxBytes });
      assert.isAtMost(sum(batches.map((batch) => batch.body.length)), maxBytes);
      const taken = events(batches);
      assert.deepEqual(taken, offered.slice(0, taken.length));
      if (taken.length < offered.length) {
        assert.isAbove(sum(batches.map((batch) => batch.body.length)) + 13, maxBytes);
      }
      assert.deepEqual(events(bus.drain()), offered.slice(taken.length));
      accountedStats(bus);
    }
  });
}

test("batches in flight stay in flight", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { batch: { minSize: 2, maxSize: 2 } });
  bus.ingestBatch([1, 2, 3]);
  const [call] = await sink.calls(1);
  assert.deepEqual(events(bus.drain()), [3]);
  call?.release();
  await bus.flush();
  assert.deepEqual(sink.delivered(), [1, 2]);
});

test("a batch that waits for its next attempt can be drained, and keeps its id", async () => {
  const sink = recorder([fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS }))]);
  const bus = new EventBus(sink.callback, { batch: { minSize: 2, maxSize: 2 } });
  bus.ingestBatch([1, 2, 3]);
  await sink.calls(1);
  await idle();
  assert.isEmpty(bus.drain({ maxBytes: 1 }), "a later event would overtake it");
  const batches = bus.drain();
  assert.deepEqual(events(batches), [1, 2, 3]);
  assert.equal(batches[0]?.id, sink.log[0]?.id);
});

test("a flush does not wait for drained events", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { batch: { minSize: 1, maxSize: 1 } });
  bus.ingestBatch([1, 2, 3]);
  await sink.calls(1);
  const flushed = bus.flush();
  bus.drain();
  sink.log[0]?.release();
  assert.include(await flushed, { delivered: 1, drained: 2, pending: 0 });
});

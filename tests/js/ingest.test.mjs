// @ts-check
import { EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  bodyText,
  HOUR_MS,
  hang,
  recorder,
  test,
  thrown,
} from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** A bus that sends nothing by itself. @param {Options} [options] */
const quietBus = (options) =>
  new EventBus(() => {}, { scheduler: "manual", onDrop: () => {}, ...options });

/** Every text in the bus, oldest first. @param {EventBus<any>} bus */
const texts = (bus) => bus.drain().flatMap((batch) => [...batch]);

/** @param {EventBus<any>} bus @param {number} count */
const offer = (bus, count) => Array.from({ length: count }, (_, i) => bus.ingest(i));

test("an accepted event is delivered as it was when it was offered", async () => {
  /** @type {unknown[]} */
  const received = [];
  const bus = new EventBus((batch) => received.push(...batch.events()));
  const event = { type: "click", at: { x: 1 }, tags: ["a"] };
  assert.isTrue(bus.ingest(event));
  event.type = "scroll";
  event.at.x = 2;
  event.tags.push("b");
  assert.isTrue(bus.ingest(event));
  await bus.close();
  assert.deepEqual(received, [
    { type: "click", at: { x: 1 }, tags: ["a"] },
    { type: "scroll", at: { x: 2 }, tags: ["a", "b"] },
  ]);
});

test("bytes are copied when they are offered", () => {
  const bus = quietBus();
  const bytes = new TextEncoder().encode('{"a":1}');
  bus.ingestRaw(bytes);
  bytes.fill(0x78);
  assert.deepEqual(texts(bus), ['{"a":1}']);
});

test("every JSON value is an event", () => {
  const bus = quietBus();
  const values = [{}, [], "", "text", 0, -1.5, true, false, null, new Date(0), "ü€😀\u2028\0"];
  for (const value of values) assert.isTrue(bus.ingest(value));
  assert.deepEqual(
    texts(bus),
    values.map((value) => JSON.stringify(value)),
  );
});

test("drop-newest rejects events that do not fit, and keeps the pending ones", () => {
  const bus = quietBus({ capacity: 4, backpressure: "drop-newest" });
  assert.deepEqual(offer(bus, 5), [true, true, true, false, false]);
  assert.equal(accountedStats(bus).rejected.full, 2);
  assert.deepEqual(texts(bus), ["0", "1", "2"]);
  assert.isTrue(bus.ingest("room again"));
});

test("drop-oldest accepts everything, and evicts the oldest", () => {
  const bus = quietBus({ capacity: 4 });
  assert.deepEqual(offer(bus, 5), [true, true, true, true, true]);
  assert.equal(accountedStats(bus).evicted, 2);
  assert.deepEqual(texts(bus), ["2", "3", "4"]);
});

test("fail-producer throws, and keeps the pending events", () => {
  const bus = quietBus({ capacity: 4, backpressure: "fail-producer" });
  offer(bus, 3);
  const error = thrown(() => bus.ingest("too many"));
  assert.equal(error.name, "BackpressureError");
  assert.equal(error.code, "ERR_BACKPRESSURE");
  assert.include(error.message, "ready()");
  assert.throws(() => bus.ingestRaw('"too many"'), error.constructor);
  assert.deepEqual(bus.ingestBatch([1, 2]), { accepted: 0, rejected: 2 });
  assert.deepEqual(bus.ingestWithReceipt(1), { rejected: "full" });
  assert.equal(accountedStats(bus).rejected.full, 5);
  assert.deepEqual(texts(bus), ["0", "1", "2"]);
});

test("sample admits one arrival in n in a shard's last quarter, and none once it is full", () => {
  const bus = quietBus({ capacity: 16, backpressure: { sample: 2 } });
  assert.notInclude(offer(bus, 12), false);
  assert.deepEqual(offer(bus, 8), [false, true, false, true, false, true, false, false]);
  const { rejected, pending } = accountedStats(bus);
  assert.deepEqual([pending, rejected.sampled, rejected.full], [15, 5, 0]);
  assert.deepEqual(bus.ingestWithReceipt(1), { rejected: "sampled" });
});

test("the bound on bytes holds in every mode", () => {
  const text = JSON.stringify("x".repeat(98));
  for (const backpressure of /** @type {const} */ ([
    "drop-newest",
    "drop-oldest",
    "fail-producer",
    { sample: 1 },
  ])) {
    const bus = quietBus({ maxBytes: 1000, backpressure });
    for (let i = 0; i < 30; i++) {
      try {
        bus.ingestRaw(text);
      } catch {}
      assert.isAtMost(bus.stats().bytes.held, 1000);
    }
    const { bytes, pending } = accountedStats(bus);
    assert.deepEqual([bytes.held, pending], [1000, 10], JSON.stringify(backpressure));
  }
});

test("drop-oldest evicts as many events as a large one needs", () => {
  const bus = quietBus({ maxBytes: 100 });
  offer(bus, 10);
  const large = JSON.stringify("x".repeat(93));
  assert.isTrue(bus.ingestRaw(large));
  assert.deepEqual(texts(bus), ["5", "6", "7", "8", "9", large]);
});

test("drop-oldest evicts from the fullest shard when its own has nothing left", () => {
  const bus = quietBus({ maxBytes: 100, shards: 2 });
  const [toFirst, toSecond] = keysOfShards(2);
  for (let i = 0; i < 10; i++) bus.ingestRaw(`"${i}2345678"`, { key: toFirst });
  assert.isTrue(bus.ingestRaw('"new"', { key: toSecond }));
  const { shards, evicted } = accountedStats(bus);
  assert.deepEqual([evicted, shards[0]?.evicted, shards[0]?.pending], [1, 1, 9]);
  assert.deepEqual(texts(bus)[0], '"12345678"');
});

test("bytes in flight count against the bound, and cannot be evicted", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { maxBytes: 100, onDrop: () => {} });
  const large = JSON.stringify("x".repeat(58));
  bus.ingestRaw(large);
  const flushed = bus.flush();
  const [call] = await sink.calls(1);
  assert.isFalse(bus.ingestRaw(large), "nothing that could be evicted would make room");
  assert.isTrue(bus.ingestRaw('"small"'));
  const { rejected, evicted, inFlight } = accountedStats(bus);
  assert.deepEqual([rejected.full, evicted, inFlight], [1, 0, 1]);
  call?.release();
  await flushed;
  assert.isTrue(bus.ingestRaw(large));
});

test("a raw event is kept byte for byte, whatever holds it", () => {
  const text = '  { "text" : "ü€😀" , "n" : 1.0 }\t';
  const bytes = new TextEncoder().encode(text);
  const window = new Uint8Array(bytes.length + 20).fill(0x21);
  window.set(bytes, 7);
  const { Buffer } = /** @type {any} */ (globalThis);
  const forms = [text, bytes, window.subarray(7, 7 + bytes.length), Buffer?.from(text) ?? bytes];
  const bus = quietBus();
  for (const form of forms) assert.isTrue(bus.ingestRaw(form));
  const [batch] = bus.drain();
  assert.deepEqual(batch && bodyText(batch).split("\n"), [text, text, text, text]);
});

test("a raw event may hold newlines where a body is one array", () => {
  const bus = quietBus({ format: "json" });
  const text = '{\n  "a": 1\n}';
  assert.isTrue(bus.ingestRaw(text));
  assert.isTrue(bus.ingestRaw(new TextEncoder().encode(text)));
  assert.deepEqual(texts(bus), [text, text]);
});

test("ingestBatch takes any iterable, and counts", () => {
  const bus = quietBus({ capacity: 8, backpressure: "drop-newest", maxEventBytes: 100 });
  const events = function* () {
    yield 1;
    yield undefined;
    yield "x".repeat(100);
    yield* [2, 3, 4, 5, 6, 7, 8, 9];
  };
  assert.deepEqual(bus.ingestBatch(events()), { accepted: 7, rejected: 4 });
  const { rejected } = accountedStats(bus);
  assert.deepEqual([rejected.invalid, rejected.oversize, rejected.full], [1, 1, 2]);
  assert.deepEqual(texts(bus), ["1", "2", "3", "4", "5", "6", "7"]);
  assert.deepEqual(bus.ingestBatch(new Set([1, 2])), { accepted: 2, rejected: 0 });
  assert.deepEqual(bus.ingestBatch([]), { accepted: 0, rejected: 0 });
});

test("receipts have strictly increasing timestamps, and so have batches", () => {
  const bus = quietBus({ batch: { maxDelayMs: HOUR_MS } });
  const before = BigInt(Date.now()) * 1_000_000n;
  const timestamps = Array.from({ length: 1000 }, (_, i) => {
    const receipt = bus.ingestWithReceipt(i);
    return "timestamp" in receipt ? receipt.timestamp : assert.fail(receipt.rejected);
  });
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  for (const [i, timestamp] of timestamps.entries()) {
    assert.isTrue(i === 0 || timestamp > /** @type {bigint} */ (timestamps[i - 1]));
    assert.isTrue(timestamp >= before && timestamp < after + 1_000_000n, `${timestamp}`);
  }
  const [batch] = bus.drain();
  assert.equal(batch?.firstTimestamp, timestamps[0]);
  assert.equal(batch?.lastTimestamp, timestamps.at(-1));
});

/** @param {import("shardbus").Receipt} receipt */
const shardOf = (receipt) => ("shard" in receipt ? receipt.shard : receipt.rejected);

/** For each of `count` shards a key that it takes. @param {number} count */
function keysOfShards(count) {
  const bus = quietBus({ shards: count });
  const keys = Array.from({ length: 64 }, (_, i) => `key ${i}`);
  return Array.from({ length: count }, (_, shard) => {
    const key = keys.find((key) => shardOf(bus.ingestWithReceipt(0, { key })) === shard);
    return key ?? assert.fail(`none of the keys goes to shard ${shard}`);
  });
}

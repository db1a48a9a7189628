// @ts-check
import fc from "fast-check";
import { EventBus } from "shardbus";
import { check } from "./arbitraries.mjs";
import {
  assert,
  bodyText,
  fail,
  HOUR_MS,
  idle,
  quickRetry,
  recorder,
  sum,
  test,
} from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** Nothing leaves by time. @param {Options["batch"]} [batch] @returns {Options} */
const bySize = (batch) => ({ batch: { maxDelayMs: HOUR_MS, ...batch } });

test("a batch leaves when it has minSize events, and not before", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, bySize({ minSize: 3 }));
  bus.ingestBatch([1, 2]);
  await idle();
  assert.isEmpty(sink.log);
  bus.ingest(3);
  const [call] = await sink.calls(1);
  assert.deepEqual(call?.events, [1, 2, 3]);
});

test("without adaptation a batch waits for maxSize", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, bySize({ minSize: 2, maxSize: 5, adaptive: false }));
  bus.ingestBatch([1, 2, 3, 4]);
  await idle();
  assert.isEmpty(sink.log);
  bus.ingest(5);
  const [call] = await sink.calls(1);
  assert.deepEqual(call?.events, [1, 2, 3, 4, 5]);
});

test("a batch leaves when its oldest event has waited for maxDelayMs", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: 20 } });
  bus.ingest("first");
  const [call] = await sink.calls(1);
  assert.deepEqual(call?.events, ["first"]);
  bus.ingest("second");
  assert.deepEqual((await sink.calls(2))[1]?.events, ["second"]);
});

test("a batch leaves when its body cannot grow any more", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, bySize({ maxBytes: 100 }));
  bus.ingest("x".repeat(47));
  await idle();
  assert.isEmpty(sink.log);
  bus.ingest("y".repeat(48));
  const [call] = await sink.calls(1);
  assert.equal(call?.text, `"${"x".repeat(47)}"\n"${"y".repeat(48)}"`);
  assert.lengthOf(/** @type {string} */ (call?.text), 100);
});

test("a shard that is about to fill up does not wait for more", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, {
    capacity: 16,
    backpressure: "drop-newest",
    ...bySize(),
  });
  bus.ingestBatch(Array(12).fill("x"));
  assert.equal((await sink.calls(1))[0]?.count, 12);
});

test("a bus that is about to run out of bytes does not wait for more", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { maxBytes: 1000, ...bySize() });
  bus.ingest("x".repeat(760));
  assert.equal((await sink.calls(1))[0]?.count, 1);
});

for (const format of /** @type {const} */ (["ndjson", "json"])) {
  test(`no batch exceeds maxSize or maxBytes, and none has a gap before it: ${format}`, async () => {
    const batchOptions = fc.record({
      maxSize: fc.integer({ min: 1, max: 20 }),
      maxBytes: fc.integer({ min: 50, max: 200 }),
    });
    const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 100 });
    await check(
      fc.asyncProperty(batchOptions, lengths, async (batch, lengths) => {
        const sink = recorder();
        const bus = new EventBus(sink.callback, { shards: 3, format, ...bySize(batch) });
        for (const length of lengths) bus.ingest("€".repeat(length / 3));
        await bus.close();
        /** @type {number[]} */
        const next = [0, 0, 0];
        for (const { shard, sequence, count, batch: sent } of sink.log) {
          assert.isAtMost(count, batch.maxSize);
          assert.isAtMost(sent.body.length, batch.maxBytes);
          assert.equal(sequence, next[shard]);
          next[shard] = sequence + count;
        }
        assert.equal(sum(next), lengths.length);
        assert.lengthOf(sink.delivered(), lengths.length);
      }),
      50,
    );
  });

  test(`a body, events() and iteration say the same: ${format}`, () => {
    const raws = [
      '{"a":[1,2,{"b":"]"}],"c":"}{"}',
      "[]",
      "[[],[[]],{}]",
      '"plain"',
      '"a,b"',
      '"[1,2]"',
      String.raw`"quote \" bracket ] backslash \\"`,
      String.raw`"\\"`,
      String.raw`{"\"]":"\\\","}`,
      String.raw`"line\nbreak \u2028"`,
      '"\u2028\u2029 ü€😀"',
      "  1.50e3  ",
      '\t{ "spaced" : [ 1 , 2 ] }\r',
      "true",
      "null",
      "-0",
      '""',
      ...(format === "json" ? ['{\n  "pretty": [\n    1\n  ]\n}\n'] : []),
    ];
    const bus = new EventBus(() => {}, { format, ...bySize() });
    for (const raw of raws) bus.ingestRaw(raw);
    const [batch] = bus.drain();
    if (batch === undefined) throw new Error("there is no batch");
    const body = format === "ndjson" ? raws.join("\n") : `[${raws.join(",")}]`;
    assert.equal(bodyText(batch), body);
    assert.equal(
      batch.contentType,
      format === "ndjson" ? "application/x-ndjson" : "application/json",
    );
    assert.deepEqual([...batch], raws);
    assert.deepEqual(
      batch.events(),
      raws.map((raw) => JSON.parse(raw)),
    );
    assert.equal(batch.count, raws.length);
  });

  test(`iteration gives any JSON back exactly as it came in: ${format}`, async () => {
    await check(
      fc.property(fc.array(fc.json({ stringUnit: "binary" }), { minLength: 1 }), (raws) => {
        const bus = new EventBus(() => {}, { format, ...bySize() });
        for (const raw of raws) bus.ingestRaw(raw);
        const [batch] = bus.drain();
        assert.deepEqual(batch && [...batch], raws);
      }),
      200,
    );
  });

  test(`iteration copes with long texts: ${format}`, () => {
    const [maxBytes, maxEventBytes] = [64 << 20, 32 << 20];
    const bus = new EventBus(() => {}, {
      format,
      maxBytes,
      maxEventBytes,
      ...bySize({ maxBytes }),
    });
    const raws = ["x".repeat(24 << 20), '"\\'.repeat(4 << 20)].map((text) => JSON.stringify(text));
    for (const raw of raws) bus.ingestRaw(raw);
    const [batch] = bus.drain();
    // Not `deepEqual`, which would print the difference.
    assert.isTrue(batch !== undefined && [...batch].every((text, i) => text === raws[i]));
  });
}

test("a batch's id is the same over its attempts, and another batch has another", async () => {
  const sink = recorder([fail("no"), fail("no")]);
  const options = { retry: quickRetry, shards: 2, ...bySize({ maxSize: 2 }) };
  const buses = [new EventBus(sink.callback, options), new EventBus(sink.callback, options)];
  for (const bus of buses) bus.ingestBatch(Array.from({ length: 20 }, (_, i) => ({ i })));
  await Promise.all(buses.map((bus) => bus.close()));
  /** @type {Map<string, string>} */
  const bodies = new Map();
  for (const { id, text, attempt } of sink.log) {
    if (attempt === 1) assert.isFalse(bodies.has(id), `${id} is the id of two batches`);
    else assert.equal(bodies.get(id), text);
    bodies.set(id, text);
  }
  assert.equal(bodies.size, sink.log.length - 2);
  for (const { id, shard, sequence } of sink.log) {
    assert.match(id, /^[0-9a-f]{16}-\d-\d+$/);
    assert.isTrue(id.endsWith(`-${shard}-${sequence}`));
  }
});

test("a batch owns its body, and later events do not change it", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, bySize());
  bus.ingest("first");
  await bus.flush();
  bus.ingestBatch(Array(1000).fill("later"));
  await bus.flush();
  assert.equal(bodyText(/** @type {any} */ (sink.log[0]).batch), '"first"');
});

test("a batch's timestamps are those of its first and last event", async () => {
  const bus = new EventBus(() => {}, bySize({ maxSize: 2 }));
  const stamps = [1, 2, 3].map(
    (event) => /** @type {any} */ (bus.ingestWithReceipt(event)).timestamp,
  );
  const times = bus.drain().map((batch) => [batch.firstTimestamp, batch.lastTimestamp]);
  assert.deepEqual(times, [
    [stamps[0], stamps[1]],
    [stamps[2], stamps[2]],
  ]);
});

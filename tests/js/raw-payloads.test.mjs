// @ts-check

// `ingestRaw` parses nothing. A payload that is not one JSON text is its own event's problem: it is
// neither several events, nor a part of another.
import { EventBus } from "shardbus";
import { assert, bodyText, HOUR_MS, recorder, test } from "./harness.mjs";

/** Payloads that are not one JSON text; some look like several events, or a part of one. */
const evil = [
  '{"evil":1},{"evil":2}',
  "1],[2",
  '{"open":',
  '"open',
  "]",
  "}",
  ",",
  "not JSON",
  "é,ü",
  "\ufeff1",
];
/** With one that is one between each. */
const payloads = evil.flatMap((payload, n) => [`{"n":${n},"é":"ü"}`, payload]);
const good = evil.map((_, n) => ({ n, é: "ü" }));

for (const format of /** @type {const} */ (["ndjson", "json"])) {
  /** @param {import("shardbus").DeliveryCallback<any>} callback */
  const newBus = (callback, retry = {}) =>
    new EventBus(callback, {
      format,
      retry: /** @type {any} */ (retry),
      batch: { minSize: 1000, maxDelayMs: HOUR_MS },
      onDrop() {},
    });

  for (const kind of /** @type {const} */ (["strings", "bytes"])) {
    test(`iteration has one text for each payload, whatever it is: ${format}, ${kind}`, () => {
      const bus = newBus(() => {});
      const encoder = new TextEncoder();
      for (const text of ["\ufeffat the start", ...payloads]) {
        bus.ingestRaw(kind === "bytes" ? encoder.encode(text) : text);
      }
      const [batch] = bus.drain();
      assert.deepEqual(batch && [...batch], ["\ufeffat the start", ...payloads]);
      assert.equal(batch?.count, payloads.length + 1);
    });
  }

  test(`a part of a batch has the texts of its own events: ${format}`, async () => {
    /** @type {string[][]} */
    const texts = [];
    const bus = newBus((batch) => {
      texts.push([...batch]);
      return { retry: batch.count > 3 ? [1, 2, 3] : [] };
    });
    for (const payload of payloads) bus.ingestRaw(payload);
    await bus.close();
    assert.deepEqual(texts, [payloads, payloads.slice(1, 4)]);
  });

  for (const retry of [{ maxAttempts: 1 }, false]) {
    test(`events() costs a callback only payloads that are no JSON: ${format}, ${JSON.stringify(retry)}`, async () => {
      const sink = recorder();
      /** @type {[string, unknown][]} */
      const delivered = [];
      const bus = newBus(
        async (batch, context) => {
          const events = batch.events().map((event, i) => [batch.eventId(i), event]);
          await sink.callback(batch, context);
          delivered.push(.../** @type {any} */ (events));
        },
        /** @type {any} */ (retry),
      );
      for (const payload of payloads) bus.ingestRaw(payload);
      await bus.close();
      const { delivered: count, abandoned, runId } = bus.stats();
      assert.equal(count, good.length);
      assert.equal(abandoned.permanent, evil.length);
      const expected = good.map((event, n) => [`${runId}-0-${2 * n}`, event]);
      assert.deepEqual(delivered, /** @type {any} */ (expected));
      for (const { batch } of sink.log) {
        if (format === "json") assert.doesNotThrow(() => JSON.parse(bodyText(batch)));
      }
    });
  }

  test(`the error of events() names the event and does not cite it: ${format}`, () => {
    const bus = newBus(() => {});
    for (const payload of ["1", "a secret"]) bus.ingestRaw(payload);
    const [batch] = bus.drain();
    const message = `The event ${batch?.eventId(1)} is not one JSON text`;
    assert.throws(() => batch?.events(), message);
  });
}

test("a newline in bytes is found wherever it stands, and nothing is taken for one", () => {
  const bus = new EventBus(() => {}, { batch: { maxDelayMs: HOUR_MS }, onDrop() {} });
  /** @type {number[]} */
  const accepted = [];
  // Values that differ from a newline in one bit or by one, and those around the sign.
  const others = [0, 9, 11, 2, 8, 14, 26, 42, 74, 127, 128, 129, 138, 255];
  for (let length = 1; length <= 13; length++) {
    for (let at = 0; at < length; at++) {
      const bytes = new Uint8Array(length).map((_, i) => others[(i + at) % others.length] ?? 0);
      assert.isTrue(bus.ingestRaw(bytes));
      accepted.push(...(accepted.length > 0 ? [10] : []), ...bytes);
      bytes[at] = 10;
      assert.throws(() => bus.ingestRaw(bytes), /must not be empty, nor hold a newline/);
    }
  }
  assert.deepEqual(
    bus.drain().map(({ body }) => [...body]),
    [accepted],
  );
});

test("bytes that change after they were offered, or were moved away, arrive as they were", () => {
  const bus = new EventBus(() => {}, { batch: { maxDelayMs: HOUR_MS }, onDrop() {} });
  const bytes = new TextEncoder().encode('{"n":1}');
  bus.ingestRaw(bytes);
  bytes.fill(10);
  bus.ingestRaw(new TextEncoder().encode('{"n":2}'));
  structuredClone(bytes, { transfer: [bytes.buffer] });
  assert.throws(() => bus.ingestRaw(bytes), /must not be empty/);
  assert.deepEqual(bus.drain().map(bodyText), ['{"n":1}\n{"n":2}']);
});

test("strings, bytes and events that take turns stay in order", () => {
  const bus = new EventBus(() => {}, { batch: { maxDelayMs: HOUR_MS } });
  const encoder = new TextEncoder();
  /** @type {((n: number) => unknown)[]} */
  const ways = [
    (n) => bus.ingest(n),
    (n) => bus.ingestRaw(`${n}`),
    (n) => bus.ingestRaw(encoder.encode(`${n}`)),
    (n) => bus.ingestBatch([n]),
    (n) => bus.ingestWithReceipt(n),
  ];
  for (let n = 0; n < 300; n++) ways[(n * n + (n >> 3)) % ways.length]?.(n);
  const texts = bus.drain().flatMap((batch) => [...batch]);
  assert.deepEqual(
    texts,
    Array.from({ length: 300 }, (_, n) => `${n}`),
  );
});

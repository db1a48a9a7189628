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

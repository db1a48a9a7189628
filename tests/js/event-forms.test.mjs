// @ts-check
// Events with objects in them that `JSON.stringify` writes as `{}` arrive whole.
import { EventBus } from "shardbus";
import { assert, HOUR_MS, recorder, test } from "./harness.mjs";

/** Every way in. @type {{ [how: string]: (bus: EventBus<any>, events: any[]) => void }} */
const ways = {
  emit: (bus, events) => {
    for (const event of events) bus.emit(event);
  },
  ingest: (bus, events) => {
    for (const event of events) bus.ingest(event);
  },
  ingestWithReceipt: (bus, events) => {
    for (const event of events) bus.ingestWithReceipt(event);
  },
  ingestBatch: (bus, events) => {
    bus.ingestBatch(events);
  },
};

/**
 * Offers the events, and returns them as they arrive.
 * @param {string} way
 * @param {any[]} events
 * @returns {Promise<any[]>}
 */
async function arrived(way, events) {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: HOUR_MS } });
  // Among others, which are as they were.
  const others = [{ flat: "a", at: 1 }, { deep: { er: [{ x: "{}" }] } }, 5, "{}", {}];
  ways[way]?.(bus, [...others, ...events, ...others]);
  await bus.close();
  const all = sink.delivered();
  assert.deepEqual(all.slice(0, others.length), others);
  assert.deepEqual(all.slice(-others.length), others);
  return all.slice(others.length, -others.length);
}

for (const way of Object.keys(ways)) {
  test(`an Error arrives with its name, message, stack and cause, by ${way}`, async () => {
    const cause = new TypeError("network");
    const error = Object.assign(new RangeError("bad", { cause }), { code: "E_BAD" });
    const events = [{ type: "failed", error }, { list: [{ error }] }, error];
    const [property, deep, itself] = await arrived(way, events);
    for (const form of [property.error, deep.list[0].error, itself]) {
      assert.include(form, { name: "RangeError", message: "bad", code: "E_BAD" });
      assert.equal(form.stack, error.stack);
      assert.include(form.cause, { name: "TypeError", message: "network" });
    }
    assert.equal(property.type, "failed");
  });

  test(`collections arrive with their contents, by ${way}`, async () => {
    const map = new Map(
      /** @type {[any, any][]} */ ([
        ["a", 1],
        [2, new Map([["deep", true]])],
      ]),
    );
    const set = new Set([1, "two"]);
    const params = new URLSearchParams("a=1&b=2&a=3");
    const headers = new Headers({ "content-type": "text/plain" });
    const empty = new Map();
    const events = [{ map, set, params, headers, empty }, map, set];
    const asMap = { a: 1, 2: { deep: true } };
    assert.deepEqual(await arrived(way, events), [
      {
        map: asMap,
        set: [1, "two"],
        params: { a: ["1", "3"], b: "2" },
        headers: { "content-type": "text/plain" },
        empty: {},
      },
      asMap,
      [1, "two"],
    ]);
  });

  test(`a value with its own JSON form keeps it, by ${way}`, async () => {
    class Point {
      x = 1;
      *[Symbol.iterator]() {
        yield this.x;
      }
    }
    class Failure extends Error {
      toJSON() {
        return { failure: this.message };
      }
    }
    const bytes = new Uint8Array([7]);
    const events = [{ in: { date: new Date(0), point: new Point(), bytes, f: new Failure("f") } }];
    assert.deepEqual(await arrived(way, events), JSON.parse(JSON.stringify(events)));
  });
}

test("an AggregateError arrives with its errors", async () => {
  const error = new AggregateError([new Error("one"), new Error("two")], "both");
  const [event] = await arrived("emit", [{ error }]);
  assert.deepEqual(
    event.error.errors.map((/** @type {any} */ { message }) => message),
    ["one", "two"],
  );
});

test("an event that is as deep as JSON can write arrives", async () => {
  /** @type {any} */
  let event = { error: new Error("at the bottom") };
  for (let depth = 0; depth < 500; depth++) event = { event };
  let [inner] = await arrived("ingest", [event]);
  while (inner.event) inner = inner.event;
  assert.equal(inner.error.message, "at the bottom");
});

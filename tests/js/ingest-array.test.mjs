// @ts-check
// An array's events are serialised together, with the same results as one by one: only code of an
// event's own can see a difference.
import fc from "fast-check";
import { EventBus } from "shardbus";
import { check, oddities, values } from "./arbitraries.mjs";
import { assert, bodyText, comparableStats, HOUR_MS, test, thrown } from "./harness.mjs";

/** @param {object} [options] @returns {EventBus<any>} */
const makeBus = (options) =>
  new EventBus(() => {}, {
    batch: { maxDelayMs: HOUR_MS, adaptive: false },
    onDrop: () => {},
    ...options,
  });

/** The visible state of a bus. @param {EventBus<any>} bus */
const seen = (bus) => ({
  stats: comparableStats(bus),
  bodies: bus.drain().map((batch) => [batch.shard, batch.count, bodyText(batch)]),
});

/** Events that look like the separator of events. */
const marks = fc.constantFrom("\x7f", '","', ["\x7f"], [1, "\x7f", { a: ["\x7f", "\x7f"] }], [[]]);
const longTexts = fc
  .tuple(fc.constantFrom("x", "é"), fc.constantFrom(400, 5000, 40_000, 140_000))
  .map(([unit, length]) => unit.repeat(length));
const events = fc.oneof(
  { weight: 12, arbitrary: fc.record({ user: fc.string(), n: fc.nat() }) },
  { weight: 4, arbitrary: values },
  { weight: 2, arbitrary: marks },
  { weight: 1, arbitrary: longTexts },
  { weight: 1, arbitrary: fc.constantFrom(undefined, null, 1n, Number.NaN, () => {}) },
  { weight: 1, arbitrary: oddities },
);

/** Arbitraries hold makers of hostile values. @param {unknown} event */
const made = (event) => (typeof event === "function" && event.length === 0 ? event() : event);

const options = fc.record({
  shards: fc.integer({ min: 1, max: 3 }),
  capacity: fc.constantFrom(2, 64, 1024),
  maxBytes: fc.constantFrom(1000, 50_000, 8 << 20),
  backpressure: fc.constantFrom(
    ...["drop-oldest", "drop-newest", "fail-producer", { sample: 1 }, { sample: 3 }],
  ),
  format: fc.constantFrom("ndjson", "json"),
  maxEventBytes: fc.constantFrom(300, 1000),
});

test("an array of events is as good as its events one by one", async () => {
  const arrays = fc.array(events, { maxLength: 120, size: "max" });
  await check(
    fc.property(options, arrays, (options, list) => {
      const together = makeBus(options);
      const apart = makeBus(options);
      const counts = together.ingestBatch(list.map(made));
      const expected = { accepted: 0, rejected: 0 };
      for (const event of list) {
        let accepted = false;
        try {
          accepted = apart.ingest(made(event));
        } catch {}
        expected[accepted ? "accepted" : "rejected"]++;
      }
      assert.deepEqual(counts, expected);
      assert.deepEqual(seen(together), seen(apart));
    }),
    80,
  );
});

test("holes and values without a JSON form are invalid, null and NaN are not", () => {
  const bus = makeBus();
  const list = [1, 2, undefined, null, Number.NaN, () => {}, Symbol("s"), { toJSON() {} }, [], "x"];
  delete list[1];
  assert.deepEqual(bus.ingestBatch(list), { accepted: 5, rejected: 5 });
  assert.equal(comparableStats(bus).rejected.invalid, 5);
  assert.equal(bodyText(bus.drain()[0]), '1\nnull\nnull\n[]\n"x"');
});

test("`toJSON` of an event is called once, and with the key that it would get alone", () => {
  const bus = makeBus();
  /** @type {string[]} */
  const keys = [];
  const event = { toJSON: (/** @type {string} */ key) => keys.push(key) };
  bus.ingestBatch([{}, event, {}, event]);
  assert.deepEqual(keys, ["", ""]);
  assert.equal(bodyText(bus.drain()[0]), "{}\n1\n{}\n2");
});

test("an element that throws when it is read ends the call, but loses nothing before it", () => {
  const bus = makeBus();
  const list = Object.defineProperty([1, 2, 3, 4], 2, {
    get() {
      throw new RangeError("unreadable");
    },
  });
  assert.instanceOf(
    thrown(() => bus.ingestBatch(list)),
    RangeError,
  );
  assert.equal(bodyText(bus.drain()[0]), "1\n2");
});

test("earlier events, and events of an event's own code, keep their order", () => {
  const bus = makeBus();
  bus.ingest("before");
  const event = {
    get a() {
      bus.ingest("within");
      return 1;
    },
  };
  bus.ingestBatch(["first", event, "last"]);
  bus.ingest("after");
  const [batch] = bus.drain();
  assert.deepEqual(batch.events(), ["before", "within", "first", { a: 1 }, "last", "after"]);
  assert.equal(comparableStats(bus).accepted, 6);
});

for (const [
  way,
  offer,
] of /** @type {[string, (bus: EventBus<any>, events: object[]) => unknown][]} */ ([
  ["in an array", (bus, events) => bus.ingestBatch(events)],
  [
    "emitted, and counted",
    (bus, events) => {
      for (const event of events) bus.emit(event);
      bus.stats();
    },
  ],
])) {
  test(`a getter that offers others, ${way}, has every event arrive as it is`, () => {
    const bus = makeBus();
    bus.ingest("first");
    const others = [
      { log: "long", in: {} },
      { log: "s", in: {} },
      { log: "longer", in: {} },
    ];
    const noisy = (/** @type {number} */ n) => ({
      in: {
        get n() {
          offer(bus, others);
          return n;
        },
      },
    });
    assert.equal(
      bus.ingestBatch([noisy(1), { quiet: "yes", in: { x: [] } }, noisy(2)]).accepted,
      3,
    );
    const texts = bus.drain().flatMap((batch) => [...batch]);
    const known = new Set(['"first"', ...others.map((other) => JSON.stringify(other))]);
    assert.deepEqual(
      texts.filter((text) => !known.has(text)),
      ['{"in":{"n":1}}', '{"quiet":"yes","in":{"x":[]}}', '{"in":{"n":2}}'],
    );
  });
}

test("an event that throws once it is looked into is invalid, and no other", () => {
  const strict = new Proxy(
    { a: 1 },
    {
      get(target, name) {
        if (name in target || name === "toJSON") return Reflect.get(target, name);
        throw new Error("no such property");
      },
    },
  );
  const list = [{ n: 1, in: {} }, { in: strict }, { n: 2, in: {} }];
  assert.deepEqual(makeBus().ingestBatch(list), { accepted: 2, rejected: 1 });
  const bus = makeBus();
  bus.ingest("first");
  for (const event of list) bus.emit(event);
  assert.deepInclude(bus.stats(), { accepted: 3, offered: 4 });
});

test("braces in events do not divide them", () => {
  const bus = makeBus();
  const flat = [{ a: 1 }, { a: "},{" }, { a: "{" }, { a: '\\"},{"a' }];
  const others = [{ a: { b: 1 } }, [{ a: 1 }], new String("},{"), "},{", {}, 1, [], { a: [1, 2] }];
  const kinds = [...flat, ...others];
  for (const first of kinds) {
    for (const second of kinds) {
      for (const third of kinds) {
        const list = [first, second, third];
        bus.ingestBatch(list);
        const expected = list.map((event) => JSON.stringify(event)).join("\n");
        assert.equal(bodyText(bus.drain()[0]), expected);
      }
    }
  }
});

test("a collection arrives with its entries among events without objects", () => {
  const bus = makeBus();
  for (const place of [0, 1, 2]) {
    /** @type {unknown[]} */
    const list = [{ a: 1 }, { b: 2 }];
    list.splice(place, 0, new Map([["c", 3]]));
    bus.ingestBatch(list);
    const expected = [{ a: 1 }, { b: 2 }];
    expected.splice(place, 0, /** @type {any} */ ({ c: 3 }));
    assert.deepEqual(bus.drain()[0]?.events(), expected);
  }
});

test("an array may grow while it is read, and may iterate in a way of its own", () => {
  const bus = makeBus();
  /** @type {any[]} */
  const list = [{ toJSON: () => list.length < 5 && list.push("more") }];
  assert.deepEqual(bus.ingestBatch(list), { accepted: 2, rejected: 0 });
  const countdown = Object.assign([1, 2, 3], { [Symbol.iterator]: () => ["two", "one"].values() });
  assert.deepEqual(bus.ingestBatch(countdown), { accepted: 2, rejected: 0 });
  assert.equal(bodyText(bus.drain()[0]), '2\n"more"\n"two"\n"one"');
});

test("arrays and strings with a `toJSON` are serialised by it", () => {
  for (const prototype of [Array.prototype, String.prototype]) {
    const list = [{ a: 1 }, { a: ["\x7f"] }, "x", "y"];
    const [together, apart] = [makeBus(), makeBus()];
    Object.defineProperty(prototype, "toJSON", { value: () => 1, configurable: true });
    try {
      together.ingestBatch(list);
      for (const event of list) apart.ingest(event);
    } finally {
      Reflect.deleteProperty(prototype, "toJSON");
    }
    assert.deepEqual(seen(together), seen(apart));
  }
});

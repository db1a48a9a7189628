// @ts-check
// Events are staged in JavaScript and cross into WebAssembly together, without a visible
// difference.
import "./settable-clock.mjs";
import fc from "fast-check";
import { EventBus } from "shardbus";
import { check } from "./arbitraries.mjs";
import { assert, bodyText, comparableStats, HOUR_MS, partOf, test } from "./harness.mjs";
import { setClock } from "./settable-clock.mjs";

/**
 * @typedef {import("shardbus").EventBusOptions<any>} Options
 * @typedef {(bus: EventBus<any>) => unknown} Operation
 */

const encoder = new TextEncoder();

// Lengths around everything that staging counts: bytes per event of some buses below, events and
// characters that cross together, the buffer that they cross in, the default `maxEventBytes`.
const lengths = [
  0, 1, 5, 30, 98, 99, 333, 4000, 10_922, 16_384, 32_766, 32_767, 65_534, 65_535,
].concat([65_536, 87_381, 131_072, 262_142, 262_143]);

const words = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.constantFrom("ü", "€", "😀", "\u2028", "\ud800", '"', "\\", "\u007f", "\u0080"),
);
const longTexts = fc
  .tuple(
    fc.constantFrom("x", "é", "€", "😀"),
    fc.constantFrom(...lengths),
    fc.constantFrom("", "€"),
  )
  .map(([unit, length, end]) => unit.repeat(Math.ceil(length / unit.length)) + end);
const texts = fc.oneof({ weight: 8, arbitrary: words }, { weight: 1, arbitrary: longTexts });
const events = fc.oneof(
  { weight: 6, arbitrary: texts },
  { weight: 2, arbitrary: fc.nat() },
  { weight: 2, arbitrary: fc.record({ user: words, n: fc.nat() }) },
  { weight: 1, arbitrary: fc.constantFrom(undefined, 1n, null) },
);
const keys = fc.option(
  fc.oneof({ weight: 4, arbitrary: words }, { weight: 1, arbitrary: longTexts }),
  {
    nil: undefined,
  },
);

/** @param {string | undefined} key */
const withKey = (key) => (key === undefined ? undefined : { key });

/** @type {fc.Arbitrary<[string, Operation]>} */
const operations = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(events, keys)
      .map(([event, key]) => named("ingest", (bus) => bus.ingest(event, withKey(key)), event, key)),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constantFrom(1, 1, 1, 255, 300), events, keys).map(([n, event, key]) =>
      named(
        "emit",
        (bus) => {
          for (let i = 0; i < n; i++) bus.emit(event, withKey(key));
        },
        n,
        event,
        key,
      ),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 63, 64, 65, 200), events)
      .map(([n, event]) =>
        named("ingestBatch", (bus) => bus.ingestBatch(Array(n).fill(event)), n, event),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(texts, keys)
      .map(([text, key]) =>
        named("ingestRaw", (bus) => bus.ingestRaw(text, withKey(key)), text, key),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(texts, keys)
      .map(([text, key]) =>
        named("bytes", (bus) => bus.ingestRaw(encoder.encode(text), withKey(key)), text, key),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(events, keys).map(([event, key]) =>
      named(
        "ingestWithReceipt",
        (bus) => {
          const receipt = bus.ingestWithReceipt(event, withKey(key));
          return "shard" in receipt ? receipt.shard : receipt.rejected;
        },
        event,
        key,
      ),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0, 50, 5000, 2 ** 40)
      .map((maxBytes) => named("drain", (bus) => bus.drain({ maxBytes }).map(described), maxBytes)),
  },
  { weight: 1, arbitrary: fc.constant(named("stats", (bus) => comparableStats(bus))) },
  { weight: 1, arbitrary: fc.constant(named("flush", (bus) => bus.flush())) },
  { weight: 1, arbitrary: fc.constant(named("scaleUp", (bus) => bus.scaleUp())) },
  { weight: 1, arbitrary: fc.constant(named("scaleDown", (bus) => bus.scaleDown())) },
);

/** @type {fc.Arbitrary<any>} */
const options = fc
  .record({
    shards: fc.integer({ min: 1, max: 4 }),
    capacity: fc.constantFrom(2, 4, 64, 128, 1024),
    maxBytes: fc.constantFrom(1, 100, 1000, 50_000, 300_000, 8 << 20),
    backpressure: fc.constantFrom(
      ...["drop-oldest", "drop-newest", "fail-producer", { sample: 1 }, { sample: 3 }],
    ),
    format: fc.constantFrom("ndjson", "json"),
    maxSize: fc.constantFrom(1, 3, 100),
    limit: fc.constantFrom(undefined, 100, 1000),
    scaling: fc.constantFrom(false, { autoScale: false }),
  })
  .map(({ maxSize, limit, ...rest }) => ({
    ...rest,
    ...(limit !== undefined && { maxEventBytes: Math.min(limit, rest.maxBytes) }),
    batch: { maxSize, maxDelayMs: HOUR_MS, adaptive: false },
  }));

/**
 * @param {string} name
 * @param {Operation} run
 * @param {unknown[]} args
 * @returns {[string, Operation]}
 */
function named(name, run, ...args) {
  return [`${name}(${args.map((arg) => fc.stringify(arg).slice(0, 40)).join(", ")})`, run];
}

/**
 * A batch, without the properties that differ from bus to bus.
 * @param {import("shardbus").Batch} batch
 */
const described = (batch) => [batch.shard, batch.sequence, batch.count, bodyText(batch)];

/**
 * The visible results of a bus that runs the operations.
 *
 * @param {Options} options
 * @param {[string, Operation][]} operations
 * @param {Operation} afterEach
 * @returns {Promise<any>}
 */
async function observe(options, operations, afterEach) {
  // Time decides how soon losses are reported and which shard is drained.
  setClock(0);
  try {
    return await observeNow(options, operations, afterEach);
  } finally {
    setClock(undefined);
  }
}

/** @type {typeof observe} */
async function observeNow(options, operations, afterEach) {
  /** @type {unknown[]} */
  const drops = [];
  /** @type {unknown[]} */
  const batches = [];
  const bus = new EventBus((batch) => batches.push(described(batch)), {
    ...options,
    onDrop: ({ reason, count }) => drops.push([reason, count]),
  });
  /** @type {unknown[]} */
  const results = [];
  for (const [index, [, run]] of operations.entries()) {
    setClock(index);
    try {
      const result = run(bus);
      // Only promises are awaited: other tasks have no turn in between.
      results.push(result instanceof Promise ? await result : result);
    } catch (error) {
      results.push(/** @type {any} */ (error).code ?? error);
    }
    afterEach(bus);
  }
  const stats = comparableStats(bus);
  await bus.close();
  return { results, stats, drops, batches, end: comparableStats(bus) };
}

test("staged events are as good as events that cross one by one", async () => {
  const sequences = fc.array(operations, { maxLength: 40, size: "max" });
  await check(
    fc.asyncProperty(options, sequences, async (options, operations) => {
      const staged = await observe(options, operations, () => {});
      const crossed = await observe(options, operations, (bus) => bus.stats());
      assert.deepEqual(staged, crossed);
    }),
    500,
    { reporter: report },
  );
});

/**
 * Turns of the event loop: the texts that are offered in each, and the time that passes before it.
 * @type {fc.Arbitrary<{ texts: [string, string | undefined][], ms: number }[]>}
 */
const turns = fc.array(
  fc.record({
    texts: fc.array(
      fc.tuple(
        fc.oneof(
          { weight: 9, arbitrary: words },
          { weight: 1, arbitrary: fc.constant("€".repeat(80)) },
        ),
        fc.option(fc.constantFrom("a", "b", "é"), { nil: undefined, freq: 5 }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
    ms: fc.constantFrom(0, 0, 0, 0, 1, HOUR_MS / 10),
  }),
  { maxLength: 60, size: "max" },
);

const turnOptions = fc.record({
  shards: fc.constantFrom(1, 1, 3),
  capacity: fc.constantFrom(16, 1024),
  maxBytes: fc.constantFrom(600, 100_000),
  backpressure: fc.constantFrom(...["drop-oldest", "drop-newest", { sample: 2 }]),
  format: fc.constantFrom("ndjson", "json"),
  batch: fc.record({
    maxSize: fc.constantFrom(2, 10, 100),
    maxBytes: fc.constantFrom(400, 100_000),
    // Too long for a timer, which goes by the system's clock.
    maxDelayMs: fc.constantFrom(HOUR_MS / 4, HOUR_MS),
    adaptive: fc.constant(false),
  }),
});

const nextTask = () =>
  new Promise((resolve) => (globalThis.setImmediate ?? globalThis.setTimeout)(resolve));

/**
 * The batches of a bus, each with the turn at whose end it was sent.
 *
 * @param {any} options
 * @param {{ texts: [string, string | undefined][], ms: number }[]} turns
 * @param {(bus: EventBus<any>) => unknown} afterEach
 */
async function observeTurns(options, turns, afterEach) {
  let time = 0;
  setClock(time);
  const start = BigInt(Date.now()) * 1_000_000n;
  /** @type {unknown[]} */
  const seen = [];
  let turn = 0;
  const bus = new EventBus((batch) => {
    const { firstTimestamp, lastTimestamp } = batch;
    seen.push([turn, ...described(batch), firstTimestamp - start, lastTimestamp - start]);
  }, options);
  try {
    for (const { texts, ms } of turns) {
      turn++;
      time += ms;
      setClock(time);
      for (const [text, key] of texts) seen.push(bus.ingest(text, withKey(key)));
      afterEach(bus);
      await nextTask();
    }
    seen.push(comparableStats(bus));
    await bus.close();
  } finally {
    setClock(undefined);
  }
  return seen;
}

test("events that stay staged over turns are as good as events that are polled for in each", async () => {
  await check(
    fc.asyncProperty(turnOptions, turns, async (options, turns) => {
      const staged = await observeTurns(options, turns, () => {});
      const polled = await observeTurns(options, turns, (bus) => bus.scaleUp(0));
      assert.deepEqual(staged, polled);
    }),
    100,
  );
});

/** Prints operations by their names. @param {fc.RunDetails<[Options, [string, Operation][]]>} run */
function report(run) {
  if (!run.failed) return;
  const [options, operations] = run.counterexample ?? [{}, []];
  const lines = operations.map(([name]) => `  ${name}`);
  throw new Error(
    `seed ${run.seed}, path ${run.counterexamplePath}\n${fc.stringify(options)}\n${lines.join("\n")}`,
    { cause: run.errorInstance },
  );
}

/** Texts of `length` characters that cross in as many ways as there are. @type {[string, string][]} */
const kinds = [
  ["ASCII", "x"],
  ["not ASCII", "é"],
  ["pairs", "😀"],
];

/** The memory grows several times until it holds so many bytes of events. */
const GROWN = partOf(24, 8) << 20;

for (const [kind, unit] of kinds) {
  test(`every event arrives intact while the memory grows: ${kind}`, () => {
    /** @type {EventBus<any>} */
    const bus = new EventBus(() => {}, {
      shards: 2,
      key: (event) => event.user,
      maxBytes: 96 << 20,
      maxKeyBytes: 1 << 20,
      capacity: 1 << 17,
      backpressure: "fail-producer",
      batch: { maxDelayMs: HOUR_MS },
    });
    const pad = unit.repeat(900 / unit.length);
    const seen = new Set();
    let count = 0;
    while (bus.stats().bytes.held < GROWN) {
      assert.isBelow(count, 100_000, `the events do not add up to ${GROWN} bytes`);
      // Some cross together, some alone; some are longer than the buffer that they cross in.
      for (let i = 0; i < 70; i++) bus.ingest({ user: `${count % 7}`, n: count++, pad });
      bus.ingest({ user: unit, n: count++, pad });
      bus.ingestWithReceipt({ user: unit, n: count++, pad });
      bus.ingestRaw(encoder.encode(JSON.stringify({ n: count++, pad })), { key: unit });
      bus.ingest({ user: unit, n: count++, pad: pad.repeat(80) }, { key: pad.repeat(100) });
    }
    for (const batch of bus.drain()) {
      for (const event of batch.events()) {
        assert.isTrue(event.pad === pad || event.pad === pad.repeat(80), `event ${event.n}`);
        seen.add(event.n);
      }
    }
    assert.equal(seen.size, count);
    comparableStats(bus);
  });
}

test("buses that take turns do not see each other's events", () => {
  const buses = Array.from({ length: 5 }, () => new EventBus(() => {}, { shards: 2 }));
  for (let i = 0; i < 1000; i++) {
    for (const [b, bus] of buses.entries()) bus.ingest({ b, i, text: i % 7 === b ? "ü" : "u" });
  }
  for (const [b, bus] of buses.entries()) {
    const events = /** @type {any[]} */ (bus.drain().flatMap((batch) => batch.events()));
    assert.lengthOf(events, 1000);
    assert.isTrue(events.every((event) => event.b === b));
  }
});

// @ts-check
// Defects that were reported of other libraries, and the behaviour that excludes each here; the name
// of a test ends with the reports. This file: bounds and losses.
import { DeliveryError, EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  fail,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  partOf,
  quickRetry,
  recorder,
  test,
} from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** An event of so many bytes as JSON, which begins with its number. @param {number} n @param {number} bytes */
const eventOf = (n, bytes) => String(n).padEnd(bytes - 2, ".");

/** Kinds of useless endpoints, and the number of events for each. */
const dead = /** @type {Record<string, [import("./harness.mjs").Step, number, Options]>} */ ({
  "the callback never settles": [hang, 500_000, {}],
  "every attempt times out": [hangUntilAborted, 100_000, { timeoutMs: 5 }],
  "every attempt fails": [fail("no"), 100_000, {}],
  "every attempt is refused": [fail(new DeliveryError("no")), 100_000, {}],
  "the receiver is always busy": [
    fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS })),
    100_000,
    {},
  ],
});

for (const [what, [step, most, options]] of Object.entries(dead)) {
  // Enough to fill the bus.
  const count = partOf(most, 50_000);
  for (const backpressure of /** @type {const} */ (["drop-oldest", "drop-newest"])) {
    test(`memory stays within maxBytes when ${what}: ${backpressure} (opentelemetry-js#1707, #3740, pino#2106)`, async () => {
      const maxBytes = 1 << 20;
      const sink = recorder([], step);
      const bus = new EventBus(sink.callback, {
        shards: 2,
        maxBytes,
        backpressure,
        retry: { maxAttempts: 3, ...quickRetry },
        onDrop: () => {},
        ...options,
      });
      let held = 0;
      for (let n = 0; n < count; n++) {
        bus.ingest({ n, text: "of some length, as events are" });
        if (n % 5000 !== 0) continue;
        if (n % 25_000 === 0) await idle();
        const { bytes } = accountedStats(bus);
        assert.isAtMost(bytes.held, maxBytes);
        held = Math.max(held, bytes.held);
      }
      assert.isAbove(held, maxBytes / 2, "the bound is used");
      const report = await bus.close({ timeoutMs: 0 });
      assert.equal(report.pending, 0);
      const { offered, bytes } = accountedStats(bus);
      assert.deepEqual([offered, bytes.held], [count, 0]);
    });
  }
}

/** Bursts that fit. @type {[string, number, Options][]} */
const fitting = [
  ["50,000 events by default", 50_000, {}],
  ["200,000 events, given the memory", 200_000, { capacity: 1 << 18, maxBytes: 32 << 20 }],
];

for (const [what, burst, options] of fitting) {
  test(`a burst that fits is delivered whole: ${what} (opentelemetry-js#3772, #4164, #4184)`, async () => {
    const sink = recorder();
    const bus = new EventBus(sink.callback, options);
    for (let n = 0; n < burst; n++) bus.ingest(eventOf(n, 152));
    await bus.close();
    const { delivered, accepted } = accountedStats(bus);
    assert.deepEqual([delivered, accepted], [burst, burst]);
    assert.isTrue(sink.delivered().every((event, n) => event === eventOf(n, 152)));
  });
}

for (const [bound, size, most] of /** @type {[string, number, number][]} */ ([
  ["capacity", 20, 65_535],
  ["maxBytes", 152, Math.floor((8 << 20) / 152)],
])) {
  test(`a burst beyond the default ${bound} loses its oldest events, and they are counted (opentelemetry-js#3772)`, async () => {
    const sink = recorder();
    const bus = new EventBus(sink.callback, { onDrop: () => {} });
    let accepted = 0;
    for (let n = 0; n < 200_000; n++) accepted += Number(bus.ingest(eventOf(n, size)));
    const { evicted, pending } = accountedStats(bus);
    assert.deepEqual([accepted, evicted, pending], [200_000, 200_000 - most, most]);
    await bus.close();
    assert.isTrue(
      sink.delivered().every((event, n) => event === eventOf(200_000 - most + n, size)),
      "the newest are kept",
    );
    assert.equal(accountedStats(bus).delivered, most);
  });
}

test("a full batch is sent before its timer fires (opentelemetry-js#3094)", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: HOUR_MS }, onDrop: () => {} });
  for (let n = 0; n < 200_000; n++) bus.ingest({ n });
  await sink.calls(10);
  await bus.close();
});

test("onDrop and the statistics count every loss (opentelemetry-js#3610, opentelemetry-java#7103)", async () => {
  /** @type {Record<string, number>} */
  const told = {};
  const script = [fail("no"), fail(new DeliveryError("gone", { retryable: false })), hang];
  const bus = new EventBus(recorder(script).callback, {
    capacity: 16,
    maxEventBytes: 100,
    backpressure: "drop-newest",
    batch: { minSize: 5, maxSize: 5, maxDelayMs: HOUR_MS },
    retry: false,
    onDrop: ({ reason, count }) => {
      told[reason] = (told[reason] ?? 0) + count;
    },
  });
  bus.ingestBatch(Array.from({ length: 20 }, (_, n) => n));
  bus.ingestBatch([undefined, "x".repeat(100), "y".repeat(100)]);
  await bus.close({ timeoutMs: 50 });
  bus.ingest("late");
  await idle();
  assert.deepEqual(told, {
    full: 5,
    invalid: 1,
    oversize: 2,
    retries: 5,
    permanent: 5,
    shutdown: 5,
    closed: 1,
  });
  const { rejected, abandoned } = accountedStats(bus);
  assert.deepInclude({ ...rejected, ...abandoned }, told);
});

test("the console has one warning of losses where onDrop is missing (opentelemetry-python#3152, opentelemetry-go#3264)", async () => {
  const { warn } = console;
  /** @type {string[]} */
  const warnings = [];
  console.warn = (line) => warnings.push(line);
  try {
    const bus = new EventBus(() => {}, { capacity: 16 });
    for (let turn = 0; turn < 3; turn++) {
      bus.ingestBatch(Array(100).fill("lost"));
      await idle();
    }
    await bus.close();
  } finally {
    console.warn = warn;
  }
  assert.lengthOf(warnings, 1);
  assert.match(warnings[0] ?? "", /85 events were evicted/);
});

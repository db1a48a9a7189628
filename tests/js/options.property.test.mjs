// @ts-check
// For any options, any arguments of its methods and any result of its callback, a bus works or
// reports the defect.
import fc from "fast-check";
import { DeliveryError, EventBus } from "shardbus";
import { check, made, oddities, throwables, throwing, tried, triedAsync } from "./arbitraries.mjs";
import { accountedStats, assert, quickRetry, test, within } from "./harness.mjs";

/** Values of an option, right or wrong. */
const settings = fc.oneof(
  made(fc.constantFrom(0, 1, 2, 3, 4, 8, 100, 1000, 1024, 4096, 65_536, 1 << 20, 2 ** 24)),
  made(fc.constantFrom(-1, -0, 0.5, 1e-9, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e300)),
  made(
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, "8", "", null, undefined, true, false),
  ),
  made(fc.constantFrom("drop-oldest", "drop-newest", "fail-producer", "ndjson", "json")),
  made(fc.constantFrom("auto", "manual")),
  made(fc.nat().map((sample) => ({ sample }))),
  made(fc.integer()),
  made(fc.double()),
  made(fc.anything({ withBigInt: true, withNullPrototype: true })),
  throwables.map((error) => () => throwing(error)),
  oddities,
);

/** @param {fc.Arbitrary<string>} names @param {number} maxKeys */
const objectOf = (names, maxKeys) =>
  fc
    .array(fc.tuple(names, settings), { maxLength: maxKeys })
    .map((entries) => () => Object.fromEntries(entries.map(([name, make]) => [name, make()])));

/** @param {string[]} names */
const someOf = (names) =>
  fc.oneof(
    { weight: 8, arbitrary: objectOf(fc.constantFrom(...names), 3) },
    { weight: 1, arbitrary: objectOf(fc.string(), 2) },
    { weight: 1, arbitrary: settings },
  );

const scaling = ["minShards", "maxShards", "autoScale", "fillRatioThreshold", "cooldownMs"].concat([
  "flushLatencyThresholdMs",
  "underutilizedThreshold",
  "scaleDownDelayMs",
  "metricsWindowMs",
]);

/** The groups of options, and the names in them. */
const groups = {
  batch: ["minSize", "maxSize", "maxBytes", "maxDelayMs", "adaptive", "velocityWindowMs"],
  retry: ["maxAttempts", "baseDelayMs", "maxDelayMs", "maxAgeMs", "maxRetryAfterMs"],
  scaling,
};

const names = ["shards", "capacity", "maxBytes", "maxEventBytes", "backpressure", "key"].concat([
  "format",
  "scheduler",
  "timeoutMs",
  "onDrop",
  "onDelivered",
  "batch",
  "retry",
  "scaling",
]);

/** Options that are right together. Of random ones, one set in five is right. */
const rightSets = fc.record(
  {
    shards: fc.constantFrom(1, 2, 8),
    capacity: fc.constantFrom(1024, 4096),
    backpressure: fc.constantFrom("drop-oldest", "drop-newest", "fail-producer", { sample: 2 }),
    format: fc.constantFrom("ndjson", "json"),
    scheduler: fc.constantFrom("auto", "manual"),
    timeoutMs: fc.constantFrom(1000, 30_000),
    batch: fc.record(
      {
        minSize: fc.nat(7).map((n) => n + 1),
        maxDelayMs: fc.integer({ min: 1, max: 1000 }),
        adaptive: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

const optionSets = fc.oneof(
  { weight: 3, arbitrary: made(rightSets) },
  ...Object.entries(groups).map(([name, inner]) =>
    someOf(inner).map((group) => () => ({ [name]: group() })),
  ),
  someOf(names),
  fc
    .tuple(objectOf(fc.constantFrom(...names), 3), someOf(groups.batch), someOf(groups.scaling))
    .map(([all, batch, scaling]) => () => ({ ...all(), batch: batch(), scaling: scaling() })),
  throwables.map(
    (error) => () =>
      Object.defineProperty({}, "shards", { get: throwing(error), enumerable: true }),
  ),
);

const { error } = console;

test("a bus with any options works, or its constructor names the defect", async () => {
  let sets = 0;
  let made = 0;
  const property = fc.asyncProperty(optionSets, async (options) => {
    sets++;
    const bus = tried(() => new EventBus(() => {}, options()));
    if (bus === undefined) return;
    made++;
    for (let n = 0; n < 5; n++) tried(() => bus.ingest({ n }));
    accountedStats(bus);
    await within(bus.close({ timeoutMs: 20 }), () => "the bus does not close");
    const { offered, pending, inFlight, bytes } = accountedStats(bus);
    assert.deepEqual([offered, pending, inFlight, bytes.held], [5, 0, 0, 0]);
  });
  console.error = () => {};
  try {
    await check(property, 1050);
  } finally {
    console.error = error;
  }
  assert.isAbove(made, sets / 10, "options that are right are among them");
});

/** Any argument of any method but `ingest…`. @type {((bus: EventBus<any>, argument: any) => unknown)[]} */
const calls = [
  (bus, argument) => triedAsync(() => bus.flush(argument)),
  (bus, argument) => tried(() => bus.drain(argument)),
  (bus, argument) => tried(() => bus.scaleUp(argument)),
  (bus, argument) => tried(() => bus.scaleDown(argument)),
  (bus, argument) => tried(() => bus.shardFor(argument)),
  (bus, argument) => tried(() => bus.waitUntil(argument)),
  (bus, argument) => triedAsync(() => bus.close(argument)),
];

test("a method with any argument works, or names the defect", async () => {
  const waits = someOf(["timeoutMs", "signal", "maxBytes"]);
  const property = fc.asyncProperty(
    fc.array(fc.tuple(fc.constantFrom(...calls), fc.oneof(settings, waits)), { maxLength: 6 }),
    async (made) => {
      /** @type {unknown[]} */
      const received = [];
      const options = { scaling: { maxShards: 4 }, onDrop: () => {} };
      const bus = new EventBus((batch) => void received.push(...batch.events()), options);
      const isAccepted = bus.ingest("before");
      await within(
        Promise.all(made.map(([call, argument]) => call(bus, argument()))),
        () => "hangs",
      );
      bus.ingest("after");
      await within(bus.close(), () => "the bus does not close");
      const { delivered, drained, abandoned, rejected } = accountedStats(bus);
      assert.isTrue(isAccepted);
      assert.equal(delivered + drained + abandoned.shutdown + rejected.closed, 2);
      assert.lengthOf(received, delivered);
    },
  );
  await check(property, 300);
});

/** Options of a `DeliveryError`, right or wrong. */
const errorFields = ["retryable", "unavailable", "split", "tooLarge", "retryAfterMs"];

/** A callback's outcomes for single events of three, right or wrong. */
const outcomes = fc
  .record({
    rejected: fc.array(
      fc.oneof(
        fc.record({ index: fc.integer({ min: -1, max: 3 }) }).map((item) => () => item),
        settings,
      ),
      { maxLength: 3 },
    ),
    retry: fc.array(
      fc.oneof(
        fc.integer({ min: -1, max: 3 }).map((n) => () => n),
        settings,
      ),
      {
        maxLength: 3,
      },
    ),
  })
  .map(({ rejected, retry }) => () => ({
    rejected: rejected.map((make) => make()),
    retry: retry.map((make) => make()),
  }));

/** A callback's actions, except hanging. */
const behaviours = fc.oneof(
  settings,
  throwables.map(throwing),
  throwables.map((reason) => () => Promise.reject(reason())),
  throwables.map((reason) => () => thenable({ value: throwing(reason) })),
  throwables.map((reason) => () => thenable({ get: throwing(reason) })),
  fc
    .record(Object.fromEntries(errorFields.map((name) => [name, settings])), { requiredKeys: [] })
    .map((makers) => () => {
      const fields = Object.entries(makers).map(([name, make]) => [name, make?.()]);
      throw Object.assign(new DeliveryError("told"), Object.fromEntries(fields));
    }),
  outcomes,
  outcomes.map((make) => () => {
    throw Object.assign(new DeliveryError("told"), { outcomes: make() });
  }),
);

/** @param {PropertyDescriptor} then */
// biome-ignore lint/suspicious/noThenProperty: the test is about `then`
const thenable = (then) => Object.defineProperty({}, "then", then);

test("with any callback, each event is delivered, or abandoned and reported", async () => {
  const property = fc.asyncProperty(
    fc.array(behaviours, { maxLength: 4 }),
    fc.constantFrom("auto", "manual"),
    async (script, scheduler) => {
      let told = 0;
      let attempts = 0;
      const bus = new EventBus(() => script[attempts++]?.(), {
        scheduler,
        retry: { maxAttempts: 3, ...quickRetry },
        onDrop: ({ count }) => {
          told += count;
        },
      });
      bus.ingestBatch([1, 2, 3]);
      await within(bus.close({ timeoutMs: 50 }), () => "the bus does not close");
      const { delivered } = accountedStats(bus);
      assert.equal(delivered + told, 3);
    },
  );
  await check(property, 300);
});

// @ts-check
// The bus in metrics, by a real meter provider. Node only: the SDK is.
import "./settable-clock.mjs";
import { AggregationTemporality, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { DeliveryError, EventBus } from "shardbus";
import { observeBus } from "shardbus/otel";
import { customStore } from "shardbus/stores/custom";
import { assert, fail, HOUR_MS, hang, quickRetry, recorder, test } from "./harness.mjs";
import { advanceClock } from "./settable-clock.mjs";

/** Collects when it is asked to. */
class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  async onForceFlush() {}
  async onShutdown() {}

  /**
   * Values by name, and of a histogram the number of its values; where there are attributes beside
   * `bus`, they are part of the name.
   */
  async read() {
    const { resourceMetrics, errors } = await this.collect();
    assert.deepEqual(errors, []);
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const values = metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes: { bus, ...attributes }, value }) => {
        assert.equal(bus, "clicks");
        const number = typeof value === "number" ? value : value.count;
        return [[descriptor.name, ...Object.values(attributes)].join(" "), number];
      }),
    );
    return Object.fromEntries(values);
  }
}

test("a meter sees where every event is, and why events were lost", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const sink = recorder([fail(new DeliveryError("no", { retryable: false }))]);
  const bus = new EventBus(sink.callback, {
    backpressure: "drop-newest",
    capacity: 4,
    batch: { maxDelayMs: HOUR_MS },
    onDrop: () => {},
  });
  let reads = 0;
  const stats = () => {
    reads++;
    return bus.stats();
  };
  const stop = observeBus({ stats }, meter, { bus: "clicks" });

  for (let i = 0; i < 6; i++) bus.ingest({ i });
  const before = await reader.read();
  assert.equal(before["shardbus.events.offered"], 6);
  assert.equal(before["shardbus.events.accepted"], 3);
  assert.equal(before["shardbus.events.pending"], 3);
  assert.equal(before["shardbus.events.lost full"], 3);
  assert.equal(before["shardbus.payload.held"], 3 * '{"i":0}'.length);
  assert.equal(before["shardbus.payload.limit"], 8 << 20);
  assert.isAtLeast(before["shardbus.events.oldest_age"], 0);
  assert.equal(before["shardbus.shards active"], 1);
  assert.equal(before["shardbus.shards draining"], 0);

  await bus.flush();
  bus.ingest({ i: 7 });
  await bus.close();
  const after = await reader.read();
  assert.equal(after["shardbus.events.lost permanent"], 3);
  assert.equal(after["shardbus.events.delivered"], 1);
  assert.equal(after["shardbus.body.delivered"], '{"i":7}'.length);
  assert.equal(after["shardbus.batches.delivered"], 1);
  assert.equal(after["shardbus.events.pending"], 0);
  assert.equal(after["shardbus.payload.held"], 0);
  assert.equal(after["shardbus.events.lost evicted"], 0);

  assert.equal(reads, 2, "once for each collection");
  stop();
  await reader.read();
  assert.equal(reads, 2, "and not after the end");
});

test("a meter tells attempts that ran out without an answer from all that were made again", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const sink = recorder([hang, fail("no"), fail("no")]);
  const bus = new EventBus(sink.callback, { scheduler: "manual", retry: quickRetry });
  observeBus(bus, meter, { bus: "clicks" });
  bus.ingest({ i: 1 });
  const first = bus.flush();
  await sink.calls(1);
  // As in a Worker, where a request that ends falls silent: the next one takes its attempt over.
  advanceClock(2000);
  await bus.flush();
  await first;
  const read = await reader.read();
  assert.equal(read["shardbus.batches.retries"], 3);
  assert.equal(read["shardbus.batches.expired"], 1);
  assert.equal(read["shardbus.batches.delivered"], 1);
});

test("a meter times attempts, by their outcome and the type of their error", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const outcomes = { rejected: [{ index: 0, error: "no" }] };
  const sink = recorder([
    fail(new Error("down")),
    fail(new DeliveryError("busy", { unavailable: true, status: 503 })),
    fail(new DeliveryError("no")),
    fail(new DeliveryError("too many", { tooLarge: true, status: 413 })),
    fail(new DeliveryError("never", { retryable: false, status: 400 })),
    () => outcomes,
  ]);
  const bus = new EventBus(sink.callback, {
    retry: quickRetry,
    batch: { maxDelayMs: HOUR_MS },
    onDrop: () => {},
  });
  const stop = observeBus(bus, meter, { bus: "clicks" });
  // The first half is abandoned, and the second one loses an event.
  bus.ingestBatch([{ i: 1 }, { i: 2 }]);
  await bus.flush();
  bus.ingest({ i: 3 });
  await bus.flush();
  const read = await reader.read();
  const name = "shardbus.attempt.duration";
  const attempts = Object.entries(read).filter(([key]) => key.startsWith(name));
  assert.deepEqual(Object.fromEntries(attempts), {
    [`${name} unavailable Error`]: 1,
    [`${name} unavailable 503`]: 1,
    [`${name} refused DeliveryError`]: 1,
    [`${name} split 413`]: 1,
    [`${name} permanent 400`]: 1,
    [`${name} partial`]: 1,
    [`${name} delivered`]: 1,
  });
  stop();
  bus.ingest({ i: 4 });
  await bus.close();
  assert.equal((await reader.read())[`${name} delivered`], 1, "and none after the end");
});

test("a meter tells a failure without an error from a delivery", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const bus = new EventBus(recorder([fail(undefined)]).callback, { retry: quickRetry });
  observeBus(bus, meter, { bus: "clicks" });
  bus.ingest({ i: 1 });
  await bus.close();
  const read = await reader.read();
  assert.equal(read["shardbus.attempt.duration unavailable _OTHER"], 1);
  assert.equal(read["shardbus.attempt.duration delivered"], 1);
});

test("a meter counts an attempt whose time was up once, as a timeout", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  let answer = (/** @type {unknown} */ _) => {};
  let calls = 0;
  const callback = () => (calls++ === 0 ? new Promise((resolve) => (answer = resolve)) : undefined);
  const bus = new EventBus(callback, { timeoutMs: 20, retry: quickRetry });
  observeBus(bus, meter, { bus: "clicks" });
  bus.ingest({ i: 1 });
  await bus.flush();
  answer(undefined);
  await bus.close();
  const read = await reader.read();
  assert.equal(read["shardbus.attempt.duration timeout TimeoutError"], 1);
  assert.equal(read["shardbus.attempt.duration delivered"], 1);
});

test("a meter sees a bus's store: its batches, its errors, and events of earlier runs", async () => {
  const reader = new Reader();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("test");
  const batches = new Map();
  let isBroken = false;
  const store = () =>
    customStore({
      open: async () => [...batches.keys()],
      read: async (key) => batches.get(key),
      write: async (key, bytes) => {
        if (isBroken) throw new Error("full");
        batches.set(key, bytes);
      },
      remove: async (key) => void batches.delete(key),
    });
  const first = new EventBus(recorder([], fail("down")).callback, {
    store: store(),
    onDrop: () => {},
  });
  first.ingestBatch([{ i: 1 }, { i: 2 }]);
  await first.persisted();
  await first.close({ timeoutMs: 0 });
  assert.equal(batches.size, 1);
  batches.set("damaged", new Uint8Array([1, 2, 3]));

  const bus = new EventBus(async () => {}, { store: store(), onStoreError: () => {} });
  observeBus(bus, meter, { bus: "clicks" });
  await bus.flush();
  isBroken = true;
  bus.ingest({ i: 3 });
  await bus.flush();
  const read = await reader.read();
  assert.equal(read["shardbus.events.restored"], 2);
  assert.equal(read["shardbus.events.offered"], 3);
  assert.equal(read["shardbus.events.delivered"], 3);
  assert.equal(read["shardbus.store.batches written"], 0);
  assert.equal(read["shardbus.store.batches waiting"], 0);
  assert.isAtLeast(read["shardbus.store.errors"], 2);
  assert.equal(read["shardbus.store.set_aside"], 1);
  await bus.close();
});

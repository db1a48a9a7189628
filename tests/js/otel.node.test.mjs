// @ts-check
// The bus in metrics, by a real meter provider. Node only: the SDK is.
import "./settable-clock.mjs";
import { AggregationTemporality, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { DeliveryError, EventBus } from "shardbus";
import { observeBus } from "shardbus/otel";
import { assert, fail, HOUR_MS, hang, quickRetry, recorder, test } from "./harness.mjs";
import { advanceClock } from "./settable-clock.mjs";

/** Collects when it is asked to. */
class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  async onForceFlush() {}
  async onShutdown() {}

  /** Values by name; where there are attributes beside `bus`, they are part of the name. */
  async read() {
    const { resourceMetrics, errors } = await this.collect();
    assert.deepEqual(errors, []);
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const values = metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes: { bus, ...attributes }, value }) => {
        assert.equal(bus, "clicks");
        return [[descriptor.name, ...Object.values(attributes)].join(" "), value];
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

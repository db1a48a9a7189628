// @ts-check
// Options are own properties of their object; properties of `Object.prototype` are ignored.
import { DeliveryError, EventBus } from "shardbus";
import { assert, HOUR_MS, idle, recorder, test } from "./harness.mjs";

/**
 * Properties that a library with a hole, or its attacker, may have put there.
 *
 * @type {Record<string, unknown>}
 */
const pollution = {
  shards: 64,
  capacity: 2,
  maxBytes: 10,
  maxEventBytes: 1,
  maxKeyBytes: 1,
  backpressure: "fail-producer",
  sample: 1,
  key: () => "k",
  format: "json",
  scheduler: "manual",
  lifecycle: "manual",
  exitOrder: "newest",
  batch: { maxSize: 1 },
  minSize: 1,
  maxSize: 1,
  maxDelayMs: 1,
  adaptive: false,
  velocityWindowMs: 1,
  retry: false,
  maxAttempts: 1,
  baseDelayMs: HOUR_MS,
  maxAgeMs: 1,
  maxRetryAfterMs: 1,
  scaling: { minShards: 7 },
  minShards: 7,
  maxShards: 9,
  autoScale: false,
  cooldownMs: 1,
  timeoutMs: 1,
  onDrop: () => assert.fail("nobody's handler was told"),
  onDelivered: () => assert.fail("nobody's handler was told"),
  store: { open() {}, read() {}, write() {}, remove() {} },
  onStoreError: () => assert.fail("nobody's handler was told"),
  signal: AbortSignal.abort(new Error("nobody's signal")),
  onSleep: () => assert.fail("nobody's flush was told"),
  retryable: false,
  unavailable: true,
  split: true,
  tooLarge: true,
  retryAfterMs: HOUR_MS,
  status: 503,
  outcomes: { rejected: [{ index: 0 }] },
  rejected: [{ index: 0, error: "nobody's" }],
};

/** Runs something while the prototype of all objects has it all. @param {() => Promise<void>} run */
async function polluted(run) {
  /** @type {Record<string, unknown>} */
  const target = /** @type {any} */ (Object.prototype);
  for (const [name, value] of Object.entries(pollution)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
  }
  try {
    await run();
  } finally {
    for (const name of Object.keys(pollution)) delete target[name];
  }
}

test("no option comes from a prototype", async () => {
  const sink = recorder();
  /** @type {number[]} */
  let shards = [];
  /** @type {unknown} */
  let report;
  await polluted(async () => {
    const bus = new EventBus(sink.callback, { batch: {}, retry: {} });
    for (let i = 0; i < 20; i++) bus.ingest({ i }, {});
    bus.ingestRaw('"raw"', {});
    bus.ingestBatch(["together"], {});
    shards = bus.stats().shards.map(({ id }) => id);
    await bus.flush({});
    report = await bus.close({});
  });
  assert.deepEqual(shards, [0]);
  assert.deepInclude(report, { abandoned: 0, timedOut: false });
  const [call, ...others] = sink.log;
  assert.lengthOf(others, 0);
  assert.include(call?.batch, { count: 22, contentType: "application/x-ndjson" });
});

test("nothing that a callback did not say is taken from a prototype", async () => {
  const bus = new EventBus(
    (_, { attempt }) => {
      if (attempt === 1) throw new DeliveryError("not now", {});
      return {};
    },
    { retry: { baseDelayMs: 1, maxDelayMs: 1 } },
  );
  await polluted(async () => {
    bus.ingest(1);
    await bus.flush();
    await idle();
  });
  assert.include(bus.stats(), { delivered: 1 });
  await bus.close();
});

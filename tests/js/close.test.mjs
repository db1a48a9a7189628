// @ts-check
import { DeliveryError, EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  fail,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  quickRetry,
  recorder,
  rejection,
  test,
} from "./harness.mjs";

const slow = { batch: { maxDelayMs: HOUR_MS, maxSize: 2 } };

test("close delivers the pending events, and reports their number", async () => {
  const sink = recorder([fail("no")]);
  const bus = new EventBus(sink.callback, { shards: 2, ...slow, retry: quickRetry });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const report = await bus.close();
  const nothing = { abandoned: 0, evicted: 0, drained: 0, pending: 0, timedOut: false };
  assert.deepEqual(report, { ...nothing, delivered: 5 });
  assert.sameMembers(sink.delivered(), [1, 2, 3, 4, 5]);
  const { delivered, pending, inFlight, bytes } = accountedStats(bus);
  assert.deepEqual([delivered, pending, inFlight, bytes.held], [5, 0, 0, 0]);
});

test("closing a bus that was never used resolves, and calls nobody", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback);
  assert.include(await bus.close(), { delivered: 0, timedOut: false });
  assert.equal(accountedStats(bus).offered, 0);
  assert.isEmpty(sink.log);
});

test("a bus that closes, or is closed, refuses events under one reason", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { backpressure: "fail-producer", onDrop: () => {} });
  bus.ingest("in time");
  const closed = bus.close();
  const refuseAll = () => {
    assert.isFalse(bus.ingest("late"));
    assert.isFalse(bus.ingestRaw('"late"'));
    assert.isFalse(bus.ingestRaw(new TextEncoder().encode('"late"')));
    assert.deepEqual(bus.ingestBatch([1, 2]), { accepted: 0, rejected: 2 });
    assert.deepEqual(bus.ingestWithReceipt("late"), { rejected: "closed" });
    return accountedStats(bus).rejected.closed;
  };
  assert.equal(refuseAll(), 6);
  (await sink.calls(1))[0]?.release();
  await closed;
  assert.equal(refuseAll(), 12);
  assert.deepEqual(sink.delivered(), ["in time"]);
});

test("when its time is up, close aborts running attempts, and hands the remaining events to onDrop", async () => {
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const sink = recorder([hangUntilAborted]);
  const bus = new EventBus(sink.callback, { ...slow, onDrop: (drop) => drops.push(drop) });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const report = await bus.close({ timeoutMs: 20 });
  assert.include(report, { delivered: 0, abandoned: 5, pending: 0, timedOut: true });
  assert.lengthOf(sink.log, 1);
  const { signal } = /** @type {any} */ (sink.log[0]);
  assert.isTrue(signal.aborted);
  assert.include(signal.reason, { name: "TimeoutError", code: "ERR_TIMEOUT" });
  assert.match(signal.reason.message, /closed/);
  assert.deepEqual(
    drops.map(({ reason, count, batch }) => [reason, count, batch?.events()]),
    [
      ["shutdown", 2, [1, 2]],
      ["shutdown", 2, [3, 4]],
      ["shutdown", 1, [5]],
    ],
  );
  assert.equal(drops[0]?.batch?.id, sink.log[0]?.id);
  const { abandoned, bytes } = accountedStats(bus);
  assert.deepEqual([abandoned.shutdown, bytes.held], [5, 0]);
});

test("a callback that is deaf to its signal cannot keep a bus open, nor answer later", async () => {
  for (const answer of [
    (/** @type {any} */ call) => call.release(),
    (/** @type {any} */ call) => call.fail(new DeliveryError("late", { retryable: false })),
  ]) {
    const sink = recorder([hang]);
    const bus = new EventBus(sink.callback, { onDrop: () => {} });
    bus.ingest(1);
    await bus.close({ timeoutMs: 10 });
    const stats = accountedStats(bus);
    answer(sink.log[0]);
    await idle();
    assert.deepEqual(accountedStats(bus), stats);
    assert.lengthOf(sink.log, 1);
  }
});

test("a batch that waits for its next attempt when the time is up is abandoned", async () => {
  const sink = recorder([fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS }))]);
  const bus = new EventBus(sink.callback, { onDrop: () => {} });
  bus.ingest(1);
  assert.include(await bus.close({ timeoutMs: 10 }), { abandoned: 1, timedOut: true });
});

test("close does not wait for a pause that nobody asked for", async () => {
  const sink = recorder([fail("no")]);
  const retry = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };
  const bus = new EventBus(sink.callback, { retry });
  bus.ingest(1);
  bus.flush();
  await sink.calls(1);
  await bus.settled();
  assert.include(await bus.close(), { delivered: 1, timedOut: false });
});

test("close does not wait for an attempt that would begin too late", async () => {
  const error = new DeliveryError("come back", { retryAfterMs: HOUR_MS });
  for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
    const sink = recorder([fail(error)]);
    const retry = { maxRetryAfterMs: HOUR_MS };
    const bus = new EventBus(sink.callback, { scheduler, retry, onDrop: () => {} });
    bus.ingest(1);
    assert.include(await bus.close({ timeoutMs: HOUR_MS / 2 }), { abandoned: 1, timedOut: true });
    assert.equal(accountedStats(bus).abandoned.shutdown, 1);
  }
});

test("a signal ends close early", async () => {
  const sink = recorder([hang]);
  const controller = new AbortController();
  const bus = new EventBus(sink.callback, { onDrop: () => {} });
  bus.ingest(1);
  const closed = bus.close({ signal: controller.signal, timeoutMs: HOUR_MS });
  await sink.calls(1);
  controller.abort();
  assert.include(await closed, { abandoned: 1, timedOut: true });

  const aborted = new EventBus(sink.callback, { onDrop: () => {} });
  aborted.ingest(1);
  const report = await aborted.close({ signal: AbortSignal.abort(), timeoutMs: HOUR_MS });
  assert.equal(report.timedOut, true);
  assert.equal(accountedStats(aborted).pending, 0);
});

test("closing twice is the same as once", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback);
  bus.ingest(1);
  const closings = [bus.close(), bus.close({ timeoutMs: 0 }), bus[Symbol.asyncDispose]()];
  await idle();
  sink.log[0]?.release();
  const [first, second] = await Promise.all(closings);
  assert.include(first, { delivered: 1, timedOut: false });
  assert.deepEqual(second, first);
  assert.deepEqual(await bus.close(), first);
});

test("a bus is closed at the end of its scope", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, slow);
  bus.ingest(1);
  await bus[Symbol.asyncDispose]();
  assert.deepEqual(sink.delivered(), [1]);
  assert.isFalse(bus.ingest(2));
});

test("closing a bus ends the promises that wait for it", async () => {
  const sink = recorder([hang]);
  const options = { maxBytes: 100, onDrop: () => {} };
  const bus = new EventBus(sink.callback, options);
  bus.ingest("x".repeat(90));
  const flushed = bus.flush();
  const late = rejection(bus.ready());
  const settled = bus.settled();
  const report = await bus.close({ timeoutMs: 10 });
  assert.include(await flushed, { abandoned: 1, pending: 0 });
  assert.include(await late, { name: "ClosedError", code: "ERR_CLOSED" });
  await settled;
  assert.include(await rejection(bus.ready()), { code: "ERR_CLOSED" });
  assert.deepEqual(await bus.flush(), report);
  assert.deepEqual(bus.drain(), []);
  await bus.settled();
});

test("the statistics of a closed bus are those of its end", async () => {
  const sink = recorder([fail("no")]);
  const bus = new EventBus(sink.callback, {
    shards: 2,
    capacity: 4,
    retry: quickRetry,
    onDrop() {},
  });
  bus.ingestBatch(Array.from({ length: 20 }, (_, i) => ({ i })));
  const before = accountedStats(bus);
  await bus.close();
  const after = accountedStats(bus);
  assert.deepEqual([after.offered, after.evicted], [20, before.evicted]);
  assert.equal(after.delivered, before.pending);
  assert.deepEqual(
    after.shards.map(({ id, accepted, evicted }) => [id, accepted, evicted]),
    before.shards.map(({ id, accepted, evicted }) => [id, accepted, evicted]),
  );
});

test("close sends pending events in batches of the usual size", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { scheduler: "manual", ...slow });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const closed = bus.close();
  (await sink.calls(1))[0]?.release();
  await closed;
  assert.deepEqual(
    sink.log.map(({ events }) => events),
    [[1, 2], [3, 4], [5]],
  );
});

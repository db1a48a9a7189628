// @ts-check
import { EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  fail,
  HOUR_MS,
  hang,
  idle,
  quickRetry,
  recorder,
  rejection,
  test,
  within,
} from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** Nothing leaves by time, and no batch has more than `maxSize` events. @type {Options} */
const byFlush = { batch: { maxDelayMs: HOUR_MS, maxSize: 2, minSize: 2 }, retry: quickRetry };

const nothing = { delivered: 0, abandoned: 0, evicted: 0, drained: 0, pending: 0, timedOut: false };

/** Notes whether a promise has settled. @param {Promise<unknown>} promise */
function watched(promise) {
  const state = { settled: false };
  const note = () => {
    state.settled = true;
  };
  promise.then(note, note);
  return state;
}

test("a flush sends the pending events, and reports their number", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { shards: 3, ...byFlush });
  bus.ingestBatch([1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual(await bus.flush(), { ...nothing, delivered: 7 });
  assert.sameMembers(sink.delivered(), [1, 2, 3, 4, 5, 6, 7]);
});

test("a flush of an empty bus resolves, and calls nobody", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback);
  assert.deepEqual(await bus.flush(), nothing);
  bus.ingest(1);
  await bus.flush();
  assert.deepEqual(await bus.flush(), nothing);
  assert.lengthOf(sink.log, 1);
});

test("a flush waits for sends in flight (analytics-node#219, #309, Amplitude-TypeScript#271)", async () => {
  const sink = recorder([], hang);
  const bus = new EventBus(sink.callback, { shards: 4, batch: { minSize: 1, maxSize: 5 } });
  for (let n = 0; n < 100; n++) bus.ingest({ n });
  await sink.calls(4);
  const flushed = bus.flush();
  const state = watched(flushed);
  while (accountedStats(bus).delivered < 100) {
    const call = await sink.nextCall();
    await idle();
    assert.isFalse(state.settled, `settled with ${accountedStats(bus).inFlight} in flight`);
    call?.release();
    await idle();
  }
  assert.deepEqual(await flushed, { ...nothing, delivered: 100 });
  assert.lengthOf(sink.delivered(), 100);
});

test("a flush waits for retries", async () => {
  const sink = recorder([fail("no"), fail("no")]);
  const bus = new EventBus(sink.callback, byFlush);
  bus.ingestBatch([1, 2, 3]);
  assert.deepEqual(await bus.flush(), { ...nothing, delivered: 3 });
  assert.deepEqual(sink.delivered(), [1, 2, 3]);
});

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  test(`overlapping flushes each cover the events before them: ${scheduler} (analytics-node#305, analytics-next#822)`, async () => {
    const sink = recorder([hang, hang]);
    const bus = new EventBus(sink.callback, { scheduler, ...byFlush });
    bus.ingestBatch([1, 2]);
    const first = bus.flush();
    bus.ingestBatch([3, 4]);
    const second = bus.flush();
    const third = bus.flush();
    const secondState = watched(second);
    (await sink.calls(1))[0]?.release();
    assert.deepEqual(await first, { ...nothing, delivered: 2 });
    await sink.calls(2);
    await idle();
    assert.isFalse(secondState.settled);
    sink.log[1]?.release();
    assert.deepEqual(await second, { ...nothing, delivered: 4 });
    assert.deepEqual(await third, { ...nothing, delivered: 4 });
  });
}

test("events that come during a flush are not waited for, and leave in their turn", async () => {
  const sink = recorder();
  let next = 0;
  /** @type {EventBus<number>} */
  const bus = new EventBus(
    (batch, context) => {
      if (next < 20) bus.ingest(next++);
      return sink.callback(batch, context);
    },
    { batch: { maxDelayMs: 10, maxSize: 1 } },
  );
  bus.ingest(-1);
  assert.equal((await bus.flush()).delivered, 1);
  await sink.calls(21);
  assert.deepEqual(
    sink.log.flatMap(({ events }) => events),
    [-1, ...Array(20).keys()],
  );
});

test("a flush ends with its cut: younger events wait for their size and time", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, byFlush);
  bus.ingest(1);
  const flushed = bus.flush();
  const [call] = await sink.calls(1);
  bus.ingest(2);
  call?.release();
  await flushed;
  await idle();
  assert.lengthOf(sink.log, 1);
  assert.equal(accountedStats(bus).pending, 1);
  bus.ingest(3);
  assert.deepEqual((await sink.calls(2))[1]?.events, [2, 3]);
});

test("a flush whose time is up reports pending events, and the bus goes on", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, byFlush);
  bus.ingestBatch([1, 2, 3]);
  const report = await bus.flush({ timeoutMs: 10 });
  assert.deepEqual(report, { ...nothing, pending: 3, timedOut: true });
  sink.log[0]?.release();
  assert.deepEqual(await bus.flush({ timeoutMs: 5000 }), { ...nothing, delivered: 3 });
});

test("an aborted flush rejects with the signal's reason, and the bus goes on", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, byFlush);
  bus.ingestBatch([1, 2]);
  const controller = new AbortController();
  const reason = new Error("enough");
  const flushed = bus.flush({ signal: controller.signal });
  await sink.calls(1);
  controller.abort(reason);
  assert.strictEqual(await rejection(flushed), reason);
  assert.strictEqual(await rejection(bus.flush({ signal: controller.signal })), reason);
  assert.equal((await rejection(bus.flush({ signal: AbortSignal.abort() }))).name, "AbortError");
  assert.isFalse(sink.log[0]?.signal.aborted, "the attempt is not the flush's to abort");
  sink.log[0]?.release();
  assert.equal((await bus.flush()).delivered, 2);
});

test("a flush reports events evicted and drained meanwhile", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { ...byFlush, capacity: 4, onDrop: () => {} });
  bus.ingestBatch([1, 2]);
  await sink.calls(1);
  bus.ingestBatch([3, 4, 5]);
  const flushed = bus.flush();
  bus.ingest(6);
  assert.deepEqual(
    bus.drain({ maxBytes: 3 }).flatMap((batch) => batch.events()),
    [4, 5],
  );
  sink.log[0]?.release();
  assert.deepEqual(await flushed, { ...nothing, delivered: 2, evicted: 1, drained: 2 });
  assert.equal(accountedStats(bus).pending, 1);
});

test("a flush reports abandoned events", async () => {
  const sink = recorder([], fail("no"));
  const bus = new EventBus(sink.callback, { ...byFlush, retry: false, onDrop: () => {} });
  bus.ingestBatch([1, 2, 3]);
  assert.deepEqual(await bus.flush(), { ...nothing, abandoned: 3 });
});

test("the manual scheduler sends only in a flush", async () => {
  const sink = recorder([fail("no"), hang, fail("no")]);
  const batch = { maxDelayMs: 1, maxSize: 2, minSize: 1 };
  const bus = new EventBus(sink.callback, { scheduler: "manual", batch, retry: quickRetry });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  await idle();
  assert.isEmpty(sink.log);
  const flushed = bus.flush({ timeoutMs: 5000 });
  sink.calls(2).then(([, second]) => second?.fail("no"));
  await sink.calls(4);
  assert.equal((await flushed).delivered, 5);
  bus.ingest(6);
  await idle();
  assert.deepEqual(sink.delivered(), [1, 2, 3, 4, 5]);
  assert.equal((await bus.flush()).delivered, 1);
});

test("the manual scheduler retries only in a flush", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { scheduler: "manual", retry: quickRetry });
  bus.ingest(1);
  assert.isTrue((await bus.flush({ timeoutMs: 5 })).timedOut);
  sink.log[0]?.fail("no");
  await idle();
  assert.lengthOf(sink.log, 1);
  assert.equal((await bus.flush()).delivered, 1);
});

test("settled waits for the callbacks that run, and starts none", async () => {
  const sink = recorder([hang]);
  const retry = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };
  const bus = new EventBus(sink.callback, { shards: 1, ...byFlush, retry });
  await bus.settled();
  bus.ingestBatch([1, 2, 3]);
  const [call] = await sink.calls(1);
  const settled = bus.settled();
  const state = watched(settled);
  await idle();
  assert.isFalse(state.settled);
  call?.fail("no");
  await settled;
  assert.lengthOf(sink.log, 1);
});

test("ready resolves when there is room, and lets a producer run without a loss", async () => {
  const sink = recorder();
  const batch = { maxSize: 10, maxDelayMs: 10 };
  const bus = new EventBus(sink.callback, { capacity: 16, backpressure: "fail-producer", batch });
  for (let i = 0; i < 500; i++) {
    await bus.ready();
    assert.isTrue(bus.ingest(i));
  }
  await bus.flush();
  assert.deepEqual(sink.delivered(), [...Array(500).keys()]);
});

test("ready waits while a shard is in its last quarter", async () => {
  const bus = new EventBus(() => {}, { capacity: 16, scheduler: "manual" });
  bus.ingestBatch(Array(11).fill("x"));
  await within(bus.ready(), () => "not ready before the last quarter");
  bus.ingest("x");
  const ready = bus.ready();
  const state = watched(ready);
  await idle();
  assert.isFalse(state.settled);
  await bus.flush();
  await within(ready, () => "not ready though all is empty");
});

test("ready waits while the largest event may not fit beside the batches in flight", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { maxBytes: 1000, maxEventBytes: 200 });
  bus.ingestBatch(Array(12).fill("x".repeat(68)));
  const ready = bus.ready();
  const state = watched(ready);
  const [call] = await sink.calls(1);
  await idle();
  assert.isFalse(state.settled);
  call?.release();
  await within(ready, () => "not ready though all is empty");
});

test("ready waits no longer than its signal says", async () => {
  for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
    const bus = new EventBus(recorder([hang]).callback, {
      capacity: 4,
      scheduler,
      onDrop: () => {},
    });
    const aborter = new AbortController();
    await bus.ready({ signal: aborter.signal });
    bus.ingestBatch([1, 2, 3]);
    await idle();
    bus.ingestBatch([4, 5, 6]);
    const waiting = rejection(bus.ready({ signal: aborter.signal }));
    await idle();
    const reason = new Error("the producer has gone");
    aborter.abort(reason);
    assert.equal(await within(waiting, () => "still waiting"), reason, scheduler);
    assert.equal(await rejection(bus.ready({ signal: aborter.signal })), reason, scheduler);
    await bus.close({ timeoutMs: 0 });
  }
});

test("ready does not wait if an emitted event's own code aborts its signal", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, {
    capacity: 16,
    batch: { minSize: 1 },
    onDrop: () => {},
  });
  bus.ingest(0);
  await sink.calls(1);
  bus.ingestBatch(Array(12).fill(1));
  const aborter = new AbortController();
  const reason = new Error("the producer has gone");
  bus.emit({ toJSON: () => aborter.abort(reason) ?? 1 });
  assert.isFalse(aborter.signal.aborted, "it is serialised later");
  const waiting = rejection(bus.ready({ signal: aborter.signal }));
  assert.equal(await within(waiting, () => "still waiting"), reason);
  await bus.close({ timeoutMs: 0 });
});

test("ready does not wait for maxDelayMs", async () => {
  for (const options of [
    { maxBytes: 1000 },
    { maxBytes: 1000, maxEventBytes: 600 },
    { maxBytes: 1000, maxEventBytes: 100, shards: 2 },
    { capacity: 16 },
  ]) {
    const sink = recorder();
    const bus = new EventBus(sink.callback, { ...options, batch: { maxDelayMs: HOUR_MS } });
    try {
      for (let i = 0; i < 50; i++) {
        await within(bus.ready(), () => `not ready after ${i} turns: ${JSON.stringify(options)}`);
        assert.isTrue(bus.ingest(i));
        assert.isTrue(bus.ingest("x".repeat(60)));
      }
      await idle();
      assert.isBelow(sink.delivered().length, 100, "nobody waits any more");
    } finally {
      await bus.close({ timeoutMs: 0 });
    }
  }
});

// @ts-check
import { EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  assert,
  deferred,
  hang,
  idle,
  quickRetry,
  recorder,
  rejection,
  test,
} from "./harness.mjs";
import { leftStore } from "./outbox-bus.mjs";

/** @type {import("shardbus").EventBusOptions<any>} */
const manual = { scheduler: "manual", batch: { maxSize: 2 }, retry: quickRetry };

const nothing = { delivered: 0, abandoned: 0, evicted: 0, drained: 0, pending: 0, timedOut: false };

test("concurrent manual flushes share the work, and each is right", async () => {
  const sink = recorder([hang, hang]);
  const bus = new EventBus(sink.callback, manual);
  bus.ingestBatch([1, 2]);
  const first = bus.flush();
  bus.ingestBatch([3, 4, 5]);
  const second = bus.flush();
  (await sink.calls(1))[0]?.release();
  assert.deepEqual(await first, { ...nothing, delivered: 2 });
  (await sink.calls(2))[1]?.release();
  assert.deepEqual(await second, { ...nothing, delivered: 5 });
  assert.deepEqual(sink.delivered(), [1, 2, 3, 4, 5]);
});

test("a flush that could not run for a second has lost its batches to the next", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, manual);
  bus.ingestBatch([1, 2, 3]);
  const first = bus.flush();
  const [call] = await sink.calls(1);
  const end = performance.now() + 1100;
  while (performance.now() < end);
  const second = bus.flush();
  assert.deepEqual(await second, { ...nothing, delivered: 3 });
  assert.deepEqual(await first, { ...nothing, pending: 3, timedOut: true });
  const [, again] = sink.log;
  assert.deepEqual([again?.id, again?.attempt], [call?.id, 2]);
  call?.release();
  await idle();
  const { delivered, batches } = accountedStats(bus);
  assert.deepEqual([delivered, batches.expired, batches.retries], [3, 1, 1]);
});

test("a flush that awaits a slow store is alive, and keeps its events", async () => {
  const { store } = await leftStore([1, 2]);
  const { promise, resolve } = deferred();
  store.faults.read = () => promise;
  const clock = new Clock();
  try {
    const sink = recorder();
    const bus = new EventBus(sink.callback, { ...manual, store });
    bus.ingest(3);
    const first = bus.flush();
    await clock.advance(1500);
    const second = bus.flush();
    await clock.advance(500);
    resolve();
    await clock.advance(1000);
    assert.include(await first, { pending: 0, timedOut: false });
    assert.include(await second, { pending: 0, timedOut: false });
    assert.sameMembers(sink.delivered(), [1, 2, 3]);
    await bus.close();
  } finally {
    clock.restore();
  }
});

test("an attempt that a flush left behind is not begun again while it runs", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, manual);
  bus.ingest(1);
  assert.include(await bus.flush({ timeoutMs: 1 }), { pending: 1, timedOut: true });
  assert.include(await bus.flush({ timeoutMs: 1500 }), { pending: 1, timedOut: true });
  assert.lengthOf(sink.log, 1);
  const settled = bus.settled();
  sink.log[0]?.release();
  await settled;
  assert.equal(accountedStats(bus).delivered, 1);
});

test("a flush where there is no randomness, as at a Worker's global scope, harms no later one", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, manual);
  bus.ingest(1);
  const real = { getRandomValues: crypto.getRandomValues.bind(crypto), random: Math.random };
  const draw = (/** @type {any} */ { getRandomValues, random }) => {
    Object.defineProperty(crypto, "getRandomValues", {
      configurable: true,
      value: getRandomValues,
    });
    Math.random = random;
  };
  const refuse = () => {
    throw new Error("not here");
  };
  draw({ getRandomValues: refuse, random: refuse });
  const failed = bus.flush();
  draw(real);
  assert.equal((await rejection(failed)).message, "not here");
  await bus.flush();
  assert.deepEqual(sink.delivered(), [1]);
  assert.notMatch(sink.log[0]?.id ?? "", /^0{8}/, "ids of other buses would be the same");
});

test("losses are reported without a flush", async () => {
  /** @type {import("shardbus").Drop[]} */
  const drops = [];
  const onDrop = (/** @type {import("shardbus").Drop} */ drop) => drops.push(drop);
  const bus = new EventBus(() => {}, { ...manual, capacity: 4, onDrop });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  await idle();
  assert.deepEqual(drops, [{ reason: "evicted", count: 2 }]);
});

test("a flush does not return before the attempts that it began end, for any caller", async () => {
  const sink = recorder([], hang);
  const bus = new EventBus(sink.callback, {
    ...manual,
    shards: 2,
    key: (/** @type {string} */ event) => event.slice(0, 1),
    batch: { maxSize: 1 },
  });
  const [a, b] = ["a", "b", "c", "d", "e"].filter(
    (key, i, keys) => i === 0 || bus.shardFor(key) !== bus.shardFor(keys[0] ?? ""),
  );
  const call = (/** @type {string} */ event) => sink.log.find(({ events }) => events[0] === event);
  let isOver = false;
  bus.ingestBatch([`${a}1`, `${a}2`]);
  const first = bus.flush().finally(() => {
    isOver = true;
  });
  bus.ingestBatch([`${b}1`, `${b}2`]);
  const second = bus.flush();
  await sink.calls(2);
  // The first flush looks first, and finds the second's request as well.
  call(`${a}1`)?.release();
  call(`${b}1`)?.release();
  await sink.calls(4);
  call(`${a}2`)?.release();
  await idle();
  assert.equal(accountedStats(bus).delivered, 3);
  assert.isFalse(isOver, "in a Worker its request would end, and with it what it sends");
  call(`${b}2`)?.release();
  assert.equal((await first).delivered, 2);
  assert.equal((await second).delivered, 4);
});

test("a request that is killed before its turn ends does not silence the losses of others", async () => {
  /** @type {import("shardbus").Drop[]} */
  const drops = [];
  const onDrop = (/** @type {import("shardbus").Drop} */ drop) => drops.push(drop);
  const bus = new EventBus(() => {}, { ...manual, maxEventBytes: 20, onDrop });
  const { queueMicrotask } = globalThis;
  try {
    // A request's queued work ends with it.
    globalThis.queueMicrotask = () => {};
    bus.ingest("killed");
  } finally {
    globalThis.queueMicrotask = queueMicrotask;
  }
  await idle();
  assert.equal((await bus.flush()).delivered, 1, "its event is another's to send");
  bus.ingestBatch([undefined]);
  await idle();
  assert.lengthOf(drops, 1);
  assert.include(drops[0], { reason: "invalid", count: 1 });
});

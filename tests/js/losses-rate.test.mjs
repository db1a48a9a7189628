// @ts-check
// How often `onDrop` is called.
import { EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import { afterEach, assert, beforeEach, deferred, idle, test, within } from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** @type {Clock} */
let clock;
beforeEach(() => {
  clock = new Clock();
});
afterEach(() => clock.restore());

/** A bus and the reports to its `onDrop`, as `reason count`. @param {Options} [options] */
function watchedBus(options, callback = () => {}) {
  /** @type {string[]} */
  const told = [];
  const bus = new EventBus(callback, {
    maxEventBytes: 10,
    ...options,
    onDrop: ({ reason, count }) => told.push(`${reason} ${count}`),
  });
  return { bus, told };
}

/** Loses `count` events in a turn, and waits for its end. @param {EventBus<any>} bus */
async function lose(bus, count = 1, /** @type {unknown} */ event = undefined) {
  bus.ingestBatch(Array(count).fill(event));
  await idle();
}

test("the first loss is reported at the end of its turn, later ones once a second, summed up", async () => {
  const { bus, told } = watchedBus();
  bus.ingestBatch([undefined, undefined]);
  assert.isEmpty(told, "not in the middle of a call");
  await idle();
  assert.deepEqual(told, ["invalid 2"]);
  for (let turn = 0; turn < 10; turn++) await lose(bus, 3);
  await clock.advance(999);
  assert.deepEqual(told, ["invalid 2"]);
  await clock.advance(1);
  assert.deepEqual(told, ["invalid 2", "invalid 30"]);
  await lose(bus);
  await clock.advance(999);
  await lose(bus);
  assert.lengthOf(told, 2);
  await clock.advance(1);
  assert.deepEqual(told.slice(2), ["invalid 2"]);
});

test("after a quiet second a loss is told at the end of its turn again", async () => {
  const { bus, told } = watchedBus();
  await lose(bus);
  await clock.advance(1000);
  await lose(bus, 2);
  assert.deepEqual(told, ["invalid 1", "invalid 2"]);
});

test("a reason is not held back by another", async () => {
  const { bus, told } = watchedBus();
  const large = "too large a text";
  await lose(bus, 1, large);
  await clock.advance(500);
  await lose(bus, 2);
  assert.deepEqual(told, ["oversize 1", "invalid 2"]);
  await lose(bus, 3, large);
  await lose(bus, 4);
  await clock.advance(500);
  assert.deepEqual(told.slice(2), ["oversize 3"]);
  await clock.advance(500);
  assert.deepEqual(told.slice(3), ["invalid 4"]);
});

test("there is a timer only while something is held back, and it keeps no process alive", async () => {
  const { bus } = watchedBus();
  await lose(bus);
  assert.isEmpty(clock.timers);
  await lose(bus);
  assert.deepEqual(
    clock.timers.map(({ isRef }) => isRef),
    [false],
  );
  await clock.advance(1000);
  assert.isEmpty(clock.timers);
  await lose(bus);
  await bus.close();
  assert.isEmpty(clock.timers);
});

test("a timer that fires reports losses that are due, even if the clock says that it is early", async () => {
  const { bus, told } = watchedBus();
  await lose(bus);
  await lose(bus);
  clock.timers.shift()?.task();
  assert.lengthOf(told, 2);
  assert.isEmpty(clock.timers);
});

test("without a handler there is no timer", async () => {
  const { warn } = console;
  let warnings = 0;
  console.warn = () => void warnings++;
  try {
    const bus = new EventBus(() => {});
    for (let turn = 0; turn < 3; turn++) await lose(bus);
    assert.isEmpty(clock.delays);
    await bus.close();
  } finally {
    console.warn = warn;
  }
  assert.equal(warnings, 1);
});

test("the manual scheduler sets no timer, and reports held-back losses when it is used next", async () => {
  const { bus, told } = watchedBus({ scheduler: "manual" });
  await lose(bus);
  await lose(bus, 2);
  await clock.advance(1000);
  assert.deepEqual(told, ["invalid 1"]);
  assert.isEmpty(clock.delays);
  bus.ingest(1);
  await idle();
  assert.deepEqual(told, ["invalid 1", "invalid 2"]);
});

/** The calls that report every loss. @type {Record<string, (bus: EventBus<any>) => unknown>} */
const ends = {
  "a manual flush": (bus) => bus.flush(),
  drain: (bus) => bus.drain(),
  close: (bus) => bus.close(),
};

for (const [what, end] of Object.entries(ends)) {
  test(`${what} reports the held-back losses`, async () => {
    const { bus, told } = watchedBus({ scheduler: "manual" });
    await lose(bus);
    await lose(bus, 2);
    await end(bus);
    assert.deepEqual(told, ["invalid 1", "invalid 2"]);
  });
}

test("rejections after close are reported like any others", async () => {
  const { bus, told } = watchedBus();
  await bus.close();
  bus.ingest(1);
  assert.isEmpty(told, "not in the middle of a call");
  await lose(bus, 2, 1);
  await lose(bus, 4, 1);
  assert.deepEqual(told, ["closed 3"]);
  await clock.advance(1000);
  assert.deepEqual(told, ["closed 3", "closed 4"]);
  assert.isEmpty(clock.timers);
});

test("abandoned batches are reported one by one, at once, with their events", async () => {
  const options = /** @type {const} */ ({
    batch: { minSize: 1, maxSize: 2 },
    retry: false,
  });
  /** @type {any[][]} */
  const dead = [];
  const bus = new EventBus(() => Promise.reject(new Error("no")), {
    ...options,
    onDrop: ({ batch }) => dead.push(batch?.events() ?? []),
  });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  await bus.flush();
  assert.deepEqual(dead, [[1, 2], [3, 4], [5]]);
});

test("held-back losses are reported without a call", async () => {
  clock.restore();
  const summedUp = deferred();
  /** @type {number[]} */
  const told = [];
  const bus = new EventBus(() => {}, {
    onDrop: ({ count }) => {
      told.push(count);
      if (told.length === 2) summedUp.resolve();
    },
  });
  for (let turn = 0; turn < 5; turn++) await lose(bus);
  await within(summedUp.promise, () => `was told of ${told}`);
  assert.equal(told[0], 1);
});

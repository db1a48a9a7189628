// @ts-check
// A bus's reports of its losses, failures and deliveries.
import { DeliveryError, EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  afterEach,
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

/** @typedef {import("shardbus").Drop<any>} Drop */
/** @typedef {import("shardbus").EventBusOptions<any>} Options */

const { error: consoleError } = console;
/** @type {Clock | undefined} */
let clock;
/**
 * Closed after each test: a timer that fires in a later one would move the clock of all buses.
 * @type {EventBus<any>[]}
 */
const buses = [];
afterEach(async () => {
  console.error = consoleError;
  clock?.restore();
  clock = undefined;
  await Promise.all(buses.splice(0).map((bus) => bus.close({ timeoutMs: 0 })));
});

/**
 * A bus, and its losses.
 * @param {import("shardbus").DeliveryCallback} callback
 * @param {Options} [options]
 */
function watchedBus(callback, options) {
  /** @type {Drop[]} */
  const drops = [];
  const bus = new EventBus(callback, {
    retry: quickRetry,
    ...options,
    onDrop: (drop) => drops.push(drop),
  });
  buses.push(bus);
  return { bus, drops };
}

test("lastError says how the last attempt that failed did, and stays after a success", async () => {
  const sink = recorder([fail(new Error("first")), fail("second")]);
  const { bus } = watchedBus(sink.callback);
  assert.isUndefined(bus.stats().lastError);
  const before = Date.now();
  bus.ingest(1);
  await bus.flush();
  const { lastError } = bus.stats();
  assert.include(lastError, { message: "second", attempt: 2 });
  assert.isAtLeast(lastError?.at ?? 0, before);
  assert.isAtMost(lastError?.at ?? 0, Date.now());
  await bus.close();
  assert.deepEqual(bus.stats().lastError, lastError, "after close() as well");
});

test("lastError has the message of an error's cause, and no hostile error breaks it", async () => {
  const circle = new Error("round");
  circle.cause = circle;
  const unreadable = Object.defineProperty(new Error("here"), "cause", {
    get() {
      throw new Error("no");
    },
  });
  for (const [error, message] of /** @type {[unknown, string][]} */ ([
    [
      new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") }),
      "fetch failed: ECONNREFUSED",
    ],
    [Object.assign(new Error(""), { code: "ECONNREFUSED" }), "ECONNREFUSED"],
    [new Error("not: twice", { cause: new Error("twice") }), "not: twice"],
    [circle, "round"],
    [unreadable, "here"],
    [undefined, "undefined"],
  ])) {
    const { bus } = watchedBus(recorder([fail(error)]).callback);
    bus.ingest(1);
    await bus.flush();
    assert.equal(bus.stats().lastError?.message, message);
  }
});

test("oldestAgeMs is the age of the oldest event that the bus holds", async () => {
  const sink = recorder([fail("no"), hang]);
  const { bus } = watchedBus(sink.callback);
  assert.equal(bus.stats().oldestAgeMs, 0);
  bus.ingest(1);
  const start = Date.now();
  const flushed = bus.flush();
  const [, second] = await sink.calls(2);
  while (Date.now() < start + 30) await idle();
  const { oldestAgeMs } = bus.stats();
  assert.isAtLeast(oldestAgeMs, 29);
  assert.isAtMost(oldestAgeMs, Date.now() - start + 2);
  second?.release();
  await flushed;
  await bus.flush();
  assert.equal(bus.stats().oldestAgeMs, 0);
});

test("ids are runId-shard-sequence, and those of a shard have no gaps", async () => {
  const sink = recorder();
  const { bus } = watchedBus(sink.callback, { shards: 4 });
  assert.isUndefined(bus.stats().runId);
  const count = 500;
  for (let n = 0; n < count; n++) {
    bus.ingest({ n });
    if (n % 100 === 0) await bus.flush();
  }
  await bus.close();
  const { runId } = bus.stats();
  assert.match(String(runId), /^[0-9a-f]{16}$/);
  /** @type {Map<string, number[]>} */
  const sequences = new Map();
  for (const { batch } of sink.log) {
    for (let i = 0; i < batch.count; i++) {
      const [run, shard, sequence] = batch.eventId(i).split("-");
      assert.equal(run, runId);
      sequences.set(shard, [...(sequences.get(shard) ?? []), Number(sequence)]);
    }
  }
  assert.equal(sequences.size, 4);
  for (const [shard, found] of sequences) {
    assert.deepEqual(found, [...Array(found.length).keys()], `shard ${shard}`);
  }
});

test("another bus has another runId", async () => {
  const runIds = [];
  for (let i = 0; i < 2; i++) {
    const { bus } = watchedBus(() => {});
    bus.ingest(1);
    await bus.close();
    runIds.push(bus.stats().runId);
  }
  assert.notEqual(runIds[0], runIds[1]);
});

test("onDelivered is told of each batch that the receiver has, once, with its attempt", async () => {
  /** @type {import("shardbus").Delivery<any>[]} */
  const told = [];
  const sink = recorder([
    fail("no"),
    () => {
      assert.isEmpty(told, "not before the receiver has said so");
    },
    fail(new DeliveryError("never", { retryable: false })),
    () => ({ rejected: [{ index: 0 }], retry: [2] }),
    () => ({ rejected: [{ index: 0 }] }),
  ]);
  const { bus } = watchedBus(sink.callback, { onDelivered: (delivery) => told.push(delivery) });
  for (const events of [[1, 2], ["never"], ["a", "b", "c"], ["last"]]) {
    bus.ingestBatch(events);
    await bus.flush();
  }
  assert.deepEqual(
    told.map(({ batch, attempt, count }) => [batch.events(), attempt, count]),
    [
      [[1, 2], 2, 2],
      [["a", "b", "c"], 1, 1],
      [["last"], 1, 1],
    ],
  );
  assert.equal(
    told.reduce((sum, { count }) => sum + count, 0),
    accountedStats(bus).delivered,
  );
});

for (const [what, onDelivered] of /** @type {const} */ ([
  [
    "throws",
    () => {
      throw new Error("broken handler");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken handler"))],
])) {
  test(`an onDelivered that ${what} is reported on the console, and harms nothing`, async () => {
    /** @type {unknown[][]} */
    const errors = [];
    console.error = (...line) => {
      errors.push(line);
    };
    const sink = recorder();
    const { bus, drops } = watchedBus(sink.callback, { onDelivered });
    for (const event of [1, 2]) {
      bus.ingest(event);
      assert.equal((await bus.flush()).delivered, 1);
    }
    await idle();
    assert.lengthOf(sink.log, 2);
    assert.isEmpty(drops);
    assert.lengthOf(errors, 2);
    for (const [message, error] of errors) {
      assert.match(String(message), /shardbus.*onDelivered/);
      assert.equal(/** @type {any} */ (error).message, "broken handler");
    }
  });
}

test("onDelivered may use its bus", async () => {
  const sink = recorder();
  let isFirst = true;
  const bus = new EventBus(sink.callback, {
    onDelivered: () => {
      if (isFirst) bus.ingest("more");
      isFirst = false;
    },
  });
  bus.ingest(1);
  await bus.flush();
  await bus.close();
  assert.deepEqual(sink.delivered(), [1, "more"]);
});

for (const backpressure of /** @type {const} */ (["drop-oldest", "drop-newest", { sample: 2 }])) {
  const mode = JSON.stringify(backpressure);
  test(`a loss for want of room in an outage has the outage's error: ${mode}`, async () => {
    const error = new Error("connect ECONNREFUSED");
    const { bus, drops } = watchedBus(recorder([], fail(error)).callback, {
      capacity: 8,
      backpressure,
      batch: { minSize: 1, maxSize: 2, maxDelayMs: HOUR_MS },
    });
    bus.ingestBatch([1, 2]);
    await idle();
    bus.ingestBatch([...Array(50).keys()]);
    await idle();
    assert.isNotEmpty(drops);
    assert.isTrue(drops.every(({ reason }) => ["evicted", "full", "sampled"].includes(reason)));
    for (const drop of drops) assert.equal(drop.error, error, drop.reason);
    await bus.close({ timeoutMs: 0 });
  });
}

test("a loss for want of room has no error once the receiver takes events again", async () => {
  const sink = recorder([fail("no")]);
  const { bus, drops } = watchedBus(sink.callback, { capacity: 4, batch: { maxDelayMs: HOUR_MS } });
  bus.ingest(1);
  await bus.flush();
  bus.ingestBatch([...Array(50).keys()]);
  await idle();
  assert.include(drops[0], { reason: "evicted" });
  assert.notProperty(drops[0], "error");
});

test("a loss by close has the last error and its attempts, or none if it was never sent", async () => {
  const error = new Error("down");
  const { bus, drops } = watchedBus(recorder([], fail(error)).callback, {
    batch: { minSize: 2, maxSize: 2, maxDelayMs: HOUR_MS },
    retry: { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS },
  });
  bus.ingestBatch([1, 2, 3]);
  await idle();
  await bus.close({ timeoutMs: 0 });
  assert.deepEqual(
    drops.map(({ reason, error, batch }) => [reason, error, batch?.events()]),
    [
      ["shutdown", error, [1, 2]],
      ["shutdown", error, [3]],
    ],
  );
  assert.isAtLeast(drops[0]?.attempts ?? 0, 1);
  assert.equal(drops[1]?.attempts, 0);
});

/** @type {Options} */
const manual = { scheduler: "manual", retry: false };

/** Waits until something was lost. @param {Drop[]} drops */
async function told(drops) {
  const wait = async () => {
    while (drops.length === 0) await idle();
  };
  await within(wait(), () => "no loss was told");
}

test("the manual scheduler reports a batch that is abandoned right after the answer", async () => {
  const error = new DeliveryError("never", { retryable: false });
  const sink = recorder([fail(error), hang]);
  const { bus, drops } = watchedBus(sink.callback, { ...manual, batch: { maxSize: 1 } });
  bus.ingestBatch([1, 2]);
  const flushed = bus.flush();
  const [, second] = await sink.calls(2);
  assert.deepEqual(
    drops.map(({ reason, error, attempts }) => [reason, error, attempts]),
    [["permanent", error, 1]],
    "while the flush goes on",
  );
  second?.release();
  await flushed;
  assert.lengthOf(drops, 1);
});

/** Ways for a flush to end before its attempt. @type {Record<string, (bus: EventBus<any>, clock: Clock) => Promise<unknown>>} */
const ends = {
  "whose time was up": async (bus, clock) => {
    const flushed = bus.flush({ timeoutMs: 5 });
    await idle();
    await clock.advance(5);
    assert.isTrue((await flushed).timedOut);
  },
  "that was aborted": async (bus) => {
    const controller = new AbortController();
    const flushed = rejection(bus.flush({ signal: controller.signal }));
    await idle();
    controller.abort();
    await flushed;
  },
};

for (const [what, end] of Object.entries(ends)) {
  test(`the manual scheduler reports batches abandoned after a flush ${what}`, async () => {
    const error = new Error("late");
    const sink = recorder([hang]);
    clock = new Clock();
    const { bus, drops } = watchedBus(sink.callback, manual);
    bus.ingest(1);
    await end(bus, clock);
    assert.isEmpty(drops);
    sink.log[0]?.fail(error);
    await told(drops);
    assert.deepEqual(
      drops.map(({ reason, error, batch }) => [reason, error, batch?.events()]),
      [["retries", error, [1]]],
    );
  });

  test(`the manual scheduler tells of an attempt that is cut off after a flush ${what}`, async () => {
    clock = new Clock();
    const { bus, drops } = watchedBus(recorder([hang]).callback, { ...manual, timeoutMs: 50 });
    bus.ingest(1);
    await end(bus, clock);
    assert.isEmpty(drops);
    await clock.advance(50);
    await told(drops);
    assert.include(drops[0], { reason: "retries", count: 1 });
    assert.include(drops[0]?.error, { code: "ERR_TIMEOUT" });
  });
}

test("the manual scheduler reports batches abandoned in waitUntil before that settles", async () => {
  const error = new Error("no");
  const { bus, drops } = watchedBus(recorder([fail(error)]).callback, manual);
  /** @type {Promise<unknown>[]} */
  const waits = [];
  bus.ingest(1);
  bus.waitUntil({ waitUntil: (promise) => void waits.push(promise) });
  await within(Promise.all(waits), () => "the ride does not end");
  assert.deepEqual(
    drops.map(({ reason, error }) => [reason, error]),
    [["retries", error]],
  );
});

test("the next flush reports the losses of a request that died", async () => {
  const sink = recorder([hang]);
  const { bus, drops } = watchedBus(sink.callback, manual);
  bus.ingest(1);
  const first = bus.flush();
  await sink.calls(1);
  // As if the request could not run any more.
  for (const end = performance.now() + 1100; performance.now() < end; );
  // It covers nothing, and sends nothing.
  await bus.flush();
  assert.include(drops[0], { reason: "retries", count: 1, attempts: 1 });
  assert.lengthOf(sink.log, 1);
  sink.log[0]?.release();
  await first;
  assert.equal(accountedStats(bus).abandoned.retries, 1);
});

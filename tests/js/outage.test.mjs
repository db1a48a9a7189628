// @ts-check
// A bus while no receiver answers, and once one answers again.
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
  succeed,
  test,
} from "./harness.mjs";

/** @type {Clock | undefined} */
let clock;
afterEach(() => {
  clock?.restore();
  clock = undefined;
});

/** An answer with this status. @param {number} status @param {HeadersInit} [headers] */
const answered = (status, headers = {}) =>
  DeliveryError.fromResponse(new Response(null, { status, headers }));

/** The failures that mean an outage. @type {Record<string, unknown>} */
const outages = {
  "a plain error": new Error("connection refused"),
  "a DeliveryError that says so": new DeliveryError("closed for today", { unavailable: true }),
  ...Object.fromEntries(
    [408, 425, 429, 502, 503, 504].map((status) => [`status ${status}`, answered(status)]),
  ),
};

for (const [what, error] of Object.entries(outages)) {
  test(`nothing is abandoned in an outage, after any number of failures: ${what}`, async () => {
    const failures = 50;
    /** @type {unknown[]} */
    const drops = [];
    const sink = recorder(Array(failures).fill(fail(error)));
    const bus = new EventBus(sink.callback, {
      retry: { maxAttempts: 1, ...quickRetry },
      batch: { maxSize: 10 },
      onDrop: (drop) => drops.push(drop),
    });
    bus.ingestBatch([...Array(100).keys()]);
    assert.include(await bus.flush(), { delivered: 100, abandoned: 0, timedOut: false });
    assert.lengthOf(sink.log, failures + 10);
    assert.deepEqual(sink.delivered(), [...Array(100).keys()], "in order");
    assert.isEmpty(drops);
    bus.ingest("later");
    assert.equal((await bus.flush()).delivered, 1, "events flow again");
    await bus.close();
  });
}

test("in an outage one shard at a time tries, less and less often, and all go on at its end", async () => {
  clock = new Clock();
  let isDown = true;
  let running = 0;
  let most = 0;
  /** @type {number[]} */
  const times = [];
  const bus = new EventBus(
    async () => {
      if (isDown) times.push(performance.now());
      most = isDown ? Math.max(most, ++running) : most;
      await Promise.resolve();
      running--;
      if (isDown) throw new Error("nobody is there");
    },
    { shards: 8, batch: { maxDelayMs: 100 } },
  );
  for (let n = 0; n < 800; n++) bus.ingest({ n });
  await idle();
  await clock.advance(1000);
  [times.length, most, running] = [0, 0, 0];
  await clock.advance(60_000);
  assert.equal(most, 1, "one at a time");
  assert.isAtMost(times.length, 24, "an outage of a minute costs its receiver few requests");
  assert.isAtLeast(times.length, 12, "and its end is noticed within 5 seconds");
  for (const [i, time] of times.slice(1).entries()) {
    assert.isAtMost(time - /** @type {number} */ (times[i]), 5001);
  }
  isDown = false;
  await clock.advance(6000);
  assert.equal(accountedStats(bus).delivered, 800);
  await bus.close();
});

test("the next batch does not begin the pauses anew", async () => {
  clock = new Clock();
  /** @type {number[]} */
  const times = [];
  const bus = new EventBus(
    () => {
      times.push(performance.now());
      throw new Error("no");
    },
    { shards: 4, batch: { minSize: 1, maxDelayMs: 1 }, onDrop: () => {} },
  );
  for (let second = 0; second < 40; second++) {
    for (let n = 0; n < 10; n++) bus.ingest({ second, n });
    await clock.advance(1000);
  }
  const late = times.filter((time) => time > /** @type {number} */ (times[0]) + 20_000);
  assert.isAtMost(late.length, 9, "20 seconds at a pause of 2.5 at least");
  await bus.close({ timeoutMs: 0 });
});

test("a flush tries at once or a second after the last failure, whatever the pause", async () => {
  clock = new Clock();
  const retry = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };
  const sink = recorder([fail("no")]);
  const bus = new EventBus(sink.callback, { retry, batch: { minSize: 1 } });
  bus.ingest(1);
  await idle();
  await clock.advance(60_000);
  assert.lengthOf(sink.log, 1);
  const flushed = bus.flush();
  await clock.advance(1001);
  assert.lengthOf(sink.log, 2);
  assert.equal((await flushed).delivered, 1);
  await bus.close();
});

test("close tries at once, but not before the receiver wants it to", async () => {
  clock = new Clock();
  for (const retryAfterMs of [0, 3000]) {
    const retry = { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS };
    const error = new DeliveryError("later", { unavailable: true, retryAfterMs });
    const sink = recorder([fail(error)]);
    const bus = new EventBus(sink.callback, { retry, batch: { minSize: 1 } });
    bus.ingest(1);
    await idle();
    const closed = bus.close();
    await idle();
    assert.lengthOf(sink.log, retryAfterMs === 0 ? 2 : 1);
    await clock.advance(retryAfterMs);
    assert.include(await closed, { delivered: 1, timedOut: false });
  }
});

test("without retries the first failure of any kind abandons the batch", async () => {
  const errors = [new Error("no"), answered(503), new DeliveryError("refused"), answered(500)];
  for (const error of errors) {
    /** @type {import("shardbus").Drop<any>[]} */
    const drops = [];
    const sink = recorder([fail(error)]);
    const bus = new EventBus(sink.callback, { retry: false, onDrop: (drop) => drops.push(drop) });
    bus.ingestBatch([1, 2]);
    assert.include(await bus.flush(), { delivered: 0, abandoned: 2 });
    assert.lengthOf(sink.log, 1);
    assert.lengthOf(drops, 1);
    assert.include(drops[0], { reason: "retries", count: 2, attempts: 1, error });
    bus.ingest(3);
    assert.equal((await bus.flush()).delivered, 1);
  }
});

test("a refused batch is abandoned after maxAttempts, with its error and its attempts", async () => {
  for (const error of [new DeliveryError("not today"), answered(500), answered(507)]) {
    /** @type {import("shardbus").Drop<any>[]} */
    const drops = [];
    const sink = recorder(Array(10).fill(fail(error)));
    const bus = new EventBus(sink.callback, {
      retry: quickRetry,
      onDrop: (drop) => drops.push(drop),
    });
    bus.ingestBatch([1, 2]);
    assert.include(await bus.flush(), { delivered: 0, abandoned: 2 });
    assert.lengthOf(sink.log, 10, "the default");
    assert.lengthOf(drops, 1);
    assert.include(drops[0], { reason: "retries", count: 2, attempts: 10, error });
    assert.deepEqual(drops[0]?.batch?.events(), [1, 2]);
    bus.ingest(3);
    assert.equal((await bus.flush()).delivered, 1, "the next has its turn");
    assert.equal(accountedStats(bus).abandoned.retries, 2);
  }
});

test("failures of an outage do not count among those that a batch may be refused", async () => {
  const refusal = fail(new DeliveryError("refused"));
  const outage = fail(new Error("down"));
  const sink = recorder([outage, refusal, outage, outage, refusal, outage, succeed]);
  const retry = { maxAttempts: 3, ...quickRetry };
  const bus = new EventBus(sink.callback, { retry });
  bus.ingest(1);
  assert.equal((await bus.flush()).delivered, 1);
  assert.lengthOf(sink.log, 7);
});

test("with maxAttempts of Infinity nothing is refused too often", async () => {
  const sink = recorder(Array(200).fill(fail(new DeliveryError("refused"))));
  const retry = { maxAttempts: Number.POSITIVE_INFINITY, ...quickRetry };
  const bus = new EventBus(sink.callback, { retry });
  bus.ingest(1);
  assert.equal((await bus.flush()).delivered, 1);
  assert.lengthOf(sink.log, 201);
});

test("events older than maxAgeMs are abandoned as expired, in flight or not", async () => {
  const error = new Error("down");
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const sink = recorder([], fail(error));
  const bus = new EventBus(sink.callback, {
    retry: { ...quickRetry, maxAgeMs: 50 },
    batch: { minSize: 2, maxSize: 2, maxDelayMs: HOUR_MS },
    onDrop: (drop) => drops.push(drop),
  });
  bus.ingestBatch([1, 2, 3]);
  const { delivered, abandoned, pending } = await bus.flush();
  assert.deepEqual([delivered, abandoned, pending], [0, 3, 0]);
  const events = drops.flatMap(({ batch }) => batch?.events());
  assert.sameMembers(events, [1, 2, 3]);
  assert.isTrue(drops.every(({ reason }) => reason === "expired"));
  const sent = drops.find(({ batch }) => batch?.events().includes(1));
  assert.equal(sent?.error, error);
  assert.isAtLeast(sent?.attempts ?? 0, 1);
  assert.equal(accountedStats(bus).abandoned.expired, 3);
});

test("younger events stay when older ones expire", async () => {
  const sink = recorder([hang]);
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const bus = new EventBus(sink.callback, {
    retry: { ...quickRetry, maxAgeMs: 60_000 },
    onDrop: (drop) => drops.push(drop),
  });
  bus.ingest(1);
  const flushed = bus.flush();
  const [call] = await sink.calls(1);
  bus.ingest(2);
  call?.fail(new Error("down"));
  assert.equal((await flushed).delivered, 1);
  await bus.close();
  assert.deepEqual(sink.delivered(), [1, 2]);
  assert.isEmpty(drops);
});

test("a receiver's wish for a pause is followed up to maxRetryAfterMs", async () => {
  for (const [options, ms] of /** @type {const} */ ([
    [{}, 60_000],
    [{ maxRetryAfterMs: 5000 }, 5000],
    [{ maxRetryAfterMs: 0 }, 0],
  ])) {
    for (const status of [503, 500]) {
      clock = new Clock();
      const sink = recorder([fail(answered(status, { "retry-after": "86400" }))]);
      const bus = new EventBus(sink.callback, {
        retry: { ...quickRetry, ...options },
        batch: { minSize: 1 },
      });
      bus.ingest(1);
      await idle();
      if (ms > 0) {
        await clock.advance(ms - 1);
        assert.lengthOf(sink.log, 1, `not before ${ms} ms`);
      }
      // A pause of its own, at most.
      await clock.advance(21);
      assert.lengthOf(sink.log, 2, `after ${ms} ms`);
      await bus.close();
      clock.restore();
    }
  }
});

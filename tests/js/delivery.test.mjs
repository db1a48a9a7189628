// @ts-check
import { DeliveryError, EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  eventually,
  fail,
  HOUR_MS,
  hang,
  idle,
  quickRetry,
  recorder,
  succeed,
  test,
  within,
} from "./harness.mjs";

/** @typedef {import("shardbus").Drop<any>} Drop */

/** A list of drops, and how to wait for the next. */
function dropRecorder() {
  /** @type {Drop[]} */
  const log = [];
  let next = deferred();
  return {
    log,
    /** @param {Drop} drop */
    onDrop(drop) {
      log.push(drop);
      next.resolve();
      next = deferred();
    },
    next: () => within(next.promise, () => "waited for a loss to be reported"),
  };
}

/** @param {any} error */
const throwNow = (error) => () => {
  throw error;
};

/** Failures that another attempt may mend. @type {Record<string, any>} */
const failures = {
  "throws an error": throwNow(new Error("no")),
  "throws undefined": throwNow(undefined),
  "throws null": throwNow(null),
  "throws a string": throwNow("no"),
  "rejects with an error": fail(new Error("no")),
  "rejects with undefined": fail(undefined),
  "rejects with a frozen object": fail(Object.freeze({ code: "ERR_DELIVERY", retryable: false })),
  "rejects with a DeliveryError": fail(new DeliveryError("no")),
  "rejects with a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return Promise.reject(proxy);
  },
  "rejects with a DeliveryError whose pause is no number": fail(
    Object.assign(new DeliveryError("no"), { retryAfterMs: Symbol("s") }),
  ),
  "rejects with a DeliveryError that cannot be read": fail(
    Object.defineProperty(new DeliveryError("no"), "tooLarge", { get: throwNow("no") }),
  ),
  "returns a thenable that rejects": () => ({
    // biome-ignore lint/suspicious/noThenProperty: the test is about `then`
    then: (/** @type {unknown} */ _, /** @type {(e: unknown) => void} */ reject) => reject("no"),
  }),
};

for (const [what, step] of Object.entries(failures)) {
  test(`a callback that ${what} gets the batch again`, async () => {
    const sink = recorder([step]);
    const bus = new EventBus(sink.callback, { retry: quickRetry });
    bus.ingest({ n: 1 });
    const report = await bus.flush();
    assert.equal(report.delivered, 1);
    const [first, second] = sink.log;
    assert.lengthOf(sink.log, 2);
    assert.deepEqual([first?.attempt, second?.attempt], [1, 2]);
    assert.deepEqual([second?.id, second?.text], [first?.id, first?.text]);
    const { delivered, batches } = accountedStats(bus);
    assert.deepEqual([delivered, batches.delivered, batches.retries], [1, 1, 1]);
  });
}

for (const result of [undefined, null, false, 0, "", {}, new Error("returned"), succeed]) {
  test(`a callback that returns ${String(result)} has delivered the batch`, async () => {
    const sink = recorder([() => result]);
    const bus = new EventBus(sink.callback);
    bus.ingest(1);
    assert.equal((await bus.flush()).delivered, 1);
    assert.lengthOf(sink.log, 1);
  });
}

test("a permanent failure abandons the batch at once, and onDrop gets it", async () => {
  const { log, onDrop } = dropRecorder();
  const sink = recorder([fail(new DeliveryError("gone", { retryable: false }))]);
  const bus = new EventBus(sink.callback, { onDrop });
  bus.ingestBatch([{ n: 1 }, { n: 2 }]);
  assert.include(await bus.flush(), { delivered: 0, abandoned: 2, pending: 0, timedOut: false });
  assert.lengthOf(sink.log, 1);
  assert.lengthOf(log, 1);
  assert.include(log[0], { reason: "permanent", count: 2 });
  assert.deepEqual(log[0]?.batch?.events(), [{ n: 1 }, { n: 2 }]);
  assert.equal(log[0]?.batch?.id, sink.log[0]?.id);
  assert.equal(accountedStats(bus).abandoned.permanent, 2);
});

test("a batch whose attempts are all refused is abandoned, and later ones have their turn", async () => {
  const { log, onDrop } = dropRecorder();
  const sink = recorder(Array(3).fill(fail(new DeliveryError("no"))));
  const bus = new EventBus(sink.callback, { retry: { maxAttempts: 3, ...quickRetry }, onDrop });
  bus.ingest("lost");
  await bus.flush();
  bus.ingest("later");
  await bus.flush();
  assert.deepEqual(
    sink.log.map(({ attempt, events }) => [attempt, ...events]),
    [
      [1, "lost"],
      [2, "lost"],
      [3, "lost"],
      [1, "later"],
    ],
  );
  assert.lengthOf(log, 1);
  assert.include(log[0], { reason: "retries", count: 1 });
  assert.deepEqual(log[0]?.batch?.events(), ["lost"]);
  const { abandoned, batches } = accountedStats(bus);
  assert.deepEqual([abandoned.retries, batches.retries], [1, 2]);
});

test("without retries the first failure of any kind is the last", async () => {
  const sink = recorder([], fail("no"));
  const bus = new EventBus(sink.callback, { retry: false, onDrop: () => {} });
  bus.ingest(1);
  assert.equal((await bus.flush()).abandoned, 1);
  assert.lengthOf(sink.log, 1);
});

// The second is too long for 64 bits of nanoseconds.
for (const retryAfterMs of [HOUR_MS, 18_446_744_073_710, 2 ** 60, Number.POSITIVE_INFINITY]) {
  test(`no attempt is made before retryAfterMs has passed: ${retryAfterMs}`, async () => {
    const sink = recorder([fail(new DeliveryError("busy", { retryAfterMs }))]);
    const bus = new EventBus(sink.callback, { retry: quickRetry, onDrop: () => {} });
    bus.ingest(1);
    bus.flush();
    await sink.calls(1);
    await idle();
    assert.lengthOf(sink.log, 1);
    assert.equal(accountedStats(bus).inFlight, 1);
    await bus.close({ timeoutMs: 0 });
    assert.equal(accountedStats(bus).abandoned.shutdown, 1);
  });
}

test("an attempt is made once retryAfterMs has passed", async () => {
  for (const retryAfterMs of [20, 0, -1, Number.NaN]) {
    const sink = recorder([fail(new DeliveryError("busy", { retryAfterMs }))]);
    const bus = new EventBus(sink.callback, { retry: quickRetry });
    bus.ingest(1);
    assert.equal((await bus.flush()).delivered, 1);
  }
});

test("a shard sends one batch at a time, and retries it before the next", async () => {
  const sink = recorder([hang, hang]);
  const bus = new EventBus(sink.callback, { batch: { maxSize: 2 }, retry: quickRetry });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  const flushed = bus.flush();
  const [first] = await sink.calls(1);
  await idle();
  assert.lengthOf(sink.log, 1);
  bus.ingestBatch([6, 7]);
  first?.fail("no");
  const [, second] = await sink.calls(2);
  await idle();
  assert.lengthOf(sink.log, 2);
  second?.release();
  await flushed;
  await bus.flush();
  const attempts = sink.log.map(({ attempt, events }) => [attempt, ...events]);
  assert.deepEqual(attempts.slice(0, 3), [
    [1, 1, 2],
    [2, 1, 2],
    [1, 3, 4],
  ]);
  assert.deepEqual(sink.delivered(), [1, 2, 3, 4, 5, 6, 7]);
});

test("a shard does not wait for another", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { shards: 4 });
  bus.ingestBatch(Array.from({ length: 100 }, (_, i) => i));
  const flushed = bus.flush();
  const calls = await sink.calls(4);
  assert.sameMembers(
    calls.map(({ shard }) => shard),
    [0, 1, 2, 3],
  );
  calls[0]?.release();
  assert.equal((await flushed).delivered, 100);
});

test("a callback is told of its attempt, and its signal stays quiet once it has succeeded", async () => {
  const sink = recorder();
  const timeoutMs = 30;
  // As where there is no page: in one, `keepalive` is true for as long as earlier tests' requests
  // have left something to carry.
  const bus = new EventBus(sink.callback, { timeoutMs, lifecycle: "manual" });
  bus.ingest(1);
  await bus.flush();
  for (const end = performance.now() + timeoutMs; performance.now() < end; ) await idle();
  await bus.close();
  const { attempt, keepalive, signal } = /** @type {any} */ (sink.log[0]);
  assert.deepEqual([attempt, keepalive, signal.aborted], [1, false, false]);
  assert.instanceOf(signal, AbortSignal);
});

test("a batch that the receiver finds too large is sent in halves, in order", async () => {
  const limit = 3;
  /** @type {string[]} */
  const delivered = [];
  const bus = new EventBus(
    async (batch) => {
      const status = batch.count > limit ? 413 : 200;
      const response = new Response("", { status });
      if (!response.ok) throw DeliveryError.fromResponse(response);
      delivered.push(...batch);
    },
    { batch: { minSize: 10, maxSize: 10, maxDelayMs: HOUR_MS }, retry: false },
  );
  const texts = Array.from({ length: 10 }, (_, i) => `{"n":${i}}`);
  for (const text of texts) bus.ingestRaw(text);
  await bus.flush();
  assert.deepEqual(delivered, texts);
  const { batches } = accountedStats(bus);
  assert.equal(batches.delivered, 4, "3 + 2 and 3 + 2");
  await bus.close();
});

test("a single event that the receiver finds too large is abandoned", async () => {
  const drops = dropRecorder();
  const refuse = () => {
    throw new DeliveryError("too large", { tooLarge: true });
  };
  const bus = new EventBus(refuse, { onDrop: drops.onDrop });
  bus.ingest({ n: 1 });
  await bus.flush();
  assert.deepEqual(
    drops.log.map(({ reason, count }) => [reason, count]),
    [["permanent", 1]],
  );
  await bus.close();
});

test("an event keeps its id when its batch is split, and when it is sent again", async () => {
  const tooLarge = new DeliveryError("too large", { tooLarge: true });
  const sink = recorder([fail(tooLarge), fail("once")]);
  const bus = new EventBus(sink.callback, { retry: quickRetry });
  bus.ingestBatch(["a", "b", "c"]);
  await bus.flush();
  /** @type {Map<string, Set<string>>} */
  const ids = new Map();
  for (const { batch, events } of sink.log) {
    assert.equal(batch.eventId(0), batch.id);
    for (const [i, event] of events.entries()) {
      ids.set(event, (ids.get(event) ?? new Set()).add(batch.eventId(i)));
    }
  }
  assert.deepEqual([...ids.keys()], ["a", "b", "c"]);
  assert.deepEqual(
    [...ids.values()].map((each) => each.size),
    [1, 1, 1],
  );
  assert.equal(new Set([...ids.values()].flatMap((each) => [...each])).size, 3);
  await bus.close();
});

test("a producer that yields now and then does not outrun a callback that is fast", async () => {
  const yieldTurn = () =>
    new Promise((resolve) => (globalThis.setImmediate ?? globalThis.setTimeout)(resolve));
  const bus = new EventBus(() => {}, { capacity: 4096, batch: { minSize: 500, maxSize: 500 } });
  for (let turn = 0; turn < 50; turn++) {
    for (let n = 0; n < 1000; n++) bus.ingest({ turn, n });
    await yieldTurn();
  }
  await bus.close();
  assert.equal(accountedStats(bus).delivered, 50_000);
});

test("others get their turn while a backlog is delivered", async () => {
  let batches = 0;
  /** @type {number[]} */
  const seen = [];
  const bus = new EventBus(() => void batches++, {
    batch: { minSize: 10, maxSize: 10, maxDelayMs: HOUR_MS },
  });
  for (let n = 0; n < 10_000; n++) bus.ingest(n);
  const flushed = bus.flush();
  const isSent = () => {
    seen.push(batches);
    return batches >= 1000;
  };
  await eventually(isSent, () => `${batches} batches are sent`, 30_000);
  await flushed;
  assert.isAbove(new Set(seen).size, 3, "batches do not all go in one turn");
  await bus.close();
});

// @ts-check
// Outcomes of single events of a batch.
import { DeliveryError, EventBus } from "shardbus";
import { accountedStats, assert, fail, HOUR_MS, quickRetry, recorder, test } from "./harness.mjs";

/** @typedef {import("shardbus").Drop<any>} Drop */
/** @typedef {import("shardbus").EventBusOptions<any>} Options */

/** One batch, however many events. @type {Options} */
const whole = {
  batch: { minSize: 1000, maxSize: 1000, maxDelayMs: HOUR_MS },
  retry: quickRetry,
};

/** @param {number} count */
const numbers = (count) => [...Array(count).keys()];

/**
 * A bus, and its losses.
 * @param {import("shardbus").DeliveryCallback} callback
 * @param {Options} [options]
 */
function watchedBus(callback, options) {
  /** @type {Drop[]} */
  const drops = [];
  const bus = new EventBus(callback, { ...whole, ...options, onDrop: (drop) => drops.push(drop) });
  return { bus, drops };
}

for (const way of ["returned", "thrown"]) {
  test(`of 1,000 events one is bad and 100 are retryable: 1,100 are sent, 1 is abandoned (${way})`, async () => {
    const bad = new Error("the mapping does not fit");
    const busy = numbers(100).map((n) => n * 7 + 200);
    /** The requests to the receiver, by events' ids. @type {Map<string, number[]>} */
    const sent = new Map();
    /** @type {number[]} */
    const stored = [];
    let calls = 0;
    const { bus, drops } = watchedBus((batch) => {
      calls++;
      /** @type {{ index: number, error: Error }[]} */
      const rejected = [];
      /** @type {number[]} */
      const retry = [];
      for (const [index, event] of /** @type {number[]} */ (batch.events()).entries()) {
        const id = batch.eventId(index);
        sent.set(id, [...(sent.get(id) ?? []), event]);
        if (event === 123) rejected.push({ index, error: bad });
        else if (calls === 1 && busy.includes(event)) retry.push(index);
        else stored.push(event);
      }
      if (way === "returned") return { rejected, retry };
      if (rejected.length + retry.length === 0) return;
      throw new DeliveryError("Some were not taken", { outcomes: { rejected, retry } });
    });
    bus.ingestBatch(numbers(1000));
    const report = await bus.flush();
    assert.include(report, { delivered: 999, abandoned: 1, pending: 0, timedOut: false });
    // The 100 are not next to each other, so each run of them is a batch; they are sent as such.
    const all = [...sent.values()].flat();
    assert.lengthOf(all, 1100);
    assert.lengthOf(new Set(stored), stored.length, "no repeats");
    assert.sameMembers(
      stored,
      numbers(1000).filter((n) => n !== 123),
    );
    for (const [id, events] of sent) assert.lengthOf(new Set(events), 1, `${id} is one event`);
    assert.lengthOf(drops, 1);
    assert.include(drops[0], { reason: "permanent", count: 1, attempts: 1, error: bad });
    assert.deepEqual(drops[0]?.batch?.events(), [123]);
    const { delivered, abandoned } = accountedStats(bus);
    assert.deepEqual([delivered, abandoned.permanent], [999, 1]);
  });
}

test("of 1,000 events one is bad and 100 in a row are retryable: 2 calls, 1,100 events sent", async () => {
  const bad = new Error("the mapping does not fit");
  const sink = recorder([() => ({ rejected: [{ index: 500, error: bad }], retry: numbers(100) })]);
  const { bus, drops } = watchedBus(sink.callback);
  bus.ingestBatch(numbers(1000));
  assert.include(await bus.flush(), { delivered: 999, abandoned: 1 });
  assert.deepEqual(
    sink.log.map(({ count, attempt }) => [count, attempt]),
    [
      [1000, 1],
      [100, 2],
    ],
  );
  assert.equal(sink.log[1]?.id, sink.log[0]?.id, "they keep their ids");
  assert.deepEqual(sink.log[1]?.events, numbers(100));
  assert.deepEqual(
    drops.map(({ error }) => error),
    [bad],
  );
});

test("events to send again go before later ones, in order, with their ids", async () => {
  const retry = () => {
    bus.ingest("later");
    return { retry: [1, 3] };
  };
  const sink = recorder([retry]);
  const { bus } = watchedBus(sink.callback);
  bus.ingestBatch(["a", "b", "c", "d"]);
  await bus.flush();
  await bus.flush();
  assert.deepEqual(
    sink.log.map(({ events }) => events),
    [["a", "b", "c", "d"], ["b"], ["d"], ["later"]],
  );
  const [first, b, d] = sink.log;
  assert.deepEqual([b?.id, d?.id], [first?.batch.eventId(1), first?.batch.eventId(3)]);
});

test("events that are sent again too often are abandoned, with an error that says so", async () => {
  const sink = recorder([], (call) => ({
    retry: call.events.flatMap((n, i) => (n < 2 ? [i] : [])),
  }));
  const { bus, drops } = watchedBus(sink.callback, { retry: { maxAttempts: 3, ...quickRetry } });
  bus.ingestBatch(numbers(5));
  assert.include(await bus.flush(), { delivered: 3, abandoned: 2 });
  assert.lengthOf(sink.log, 3);
  assert.include(drops[0], { reason: "retries", count: 2, attempts: 3 });
  assert.match(String(drops[0]?.error), /did not take 2 of 2 events/);
});

test("each rejected event is abandoned with its own error", async () => {
  const errors = [new Error("zero"), new Error("one"), "four"];
  const rejected = [0, 1, 4].map((index, i) => ({ index, error: errors[i] }));
  const { bus, drops } = watchedBus(() => ({ rejected }));
  bus.ingestBatch(numbers(5));
  assert.include(await bus.flush(), { delivered: 2, abandoned: 3 });
  assert.deepEqual(
    drops.map(({ reason, batch, error }) => [reason, batch?.events(), error]),
    [
      ["permanent", [0], errors[0]],
      ["permanent", [1], errors[1]],
      ["permanent", [4], errors[2]],
    ],
  );
  assert.include(bus.stats().lastError, { message: "four", attempt: 1 });
});

test("rejected goes before retry, and no outcome is a success", async () => {
  for (const answer of [{}, { rejected: [], retry: [] }, { rejected: undefined }, { retry: 5 }]) {
    const sink = recorder([() => answer]);
    const { bus } = watchedBus(sink.callback);
    bus.ingestBatch(numbers(3));
    assert.equal((await bus.flush()).delivered, 3, JSON.stringify(answer));
    assert.lengthOf(sink.log, 1);
  }
  const { bus, drops } = watchedBus(() => ({ rejected: [{ index: 1 }], retry: [1] }));
  bus.ingestBatch(numbers(3));
  assert.include(await bus.flush(), { delivered: 2, abandoned: 1 });
  assert.notProperty(drops[0], "error");
});

test("an invalid answer is a refusal whose error names the defect", async () => {
  const answers = /** @type {any[]} */ ([
    { retry: [3] },
    { retry: [-1] },
    { retry: [0.5] },
    { retry: ["0"] },
    { retry: [undefined] },
    { rejected: [{ index: 3 }] },
    { rejected: [undefined] },
    { rejected: [{}] },
    { rejected: [5] },
    {
      get rejected() {
        throw new Error("unreadable");
      },
    },
  ]);
  for (const answer of answers) {
    for (const step of [
      async () => answer,
      fail(new DeliveryError("some", { outcomes: answer })),
    ]) {
      const sink = recorder([step, step]);
      const { bus, drops } = watchedBus(sink.callback, {
        retry: { maxAttempts: 2, ...quickRetry },
      });
      bus.ingestBatch(numbers(3));
      assert.include(await bus.flush(), { delivered: 0, abandoned: 3 });
      assert.lengthOf(sink.log, 2);
      assert.include(drops[0], { reason: "retries", count: 3, attempts: 2 });
      assert.include(drops[0]?.error, { code: "ERR_DELIVERY" });
      assert.match(String(drops[0]?.error), /callback's answer cannot be read/);
    }
  }
});

test("a batch that is to be split is halved down to the event that is to blame", async () => {
  const isBad = (/** @type {number} */ n) => n === 611;
  const error = new DeliveryError("invalid input syntax", { split: true });
  let calls = 0;
  /** @type {number[]} */
  const stored = [];
  const { bus, drops } = watchedBus((batch) => {
    calls++;
    const events = /** @type {number[]} */ (batch.events());
    if (events.some(isBad)) throw error;
    stored.push(...events);
  });
  bus.ingestBatch(numbers(1000));
  assert.include(await bus.flush(), { delivered: 999, abandoned: 1 });
  assert.deepEqual(
    stored,
    numbers(1000).filter((n) => !isBad(n)),
    "in order, each once",
  );
  assert.lengthOf(drops, 1);
  assert.include(drops[0], { reason: "permanent", count: 1, error });
  assert.deepEqual(drops[0]?.batch?.events(), [611]);
  assert.isAtMost(calls, 21, "twice for each halving");
});

test("split goes before retryable, and needs no retries", async () => {
  const split = new DeliveryError("split", { split: true, retryable: false });
  const sink = recorder([fail(split)]);
  const { bus } = watchedBus(sink.callback, { retry: false });
  bus.ingestBatch(numbers(4));
  assert.equal((await bus.flush()).delivered, 4);
  assert.deepEqual(
    sink.log.map(({ events }) => events),
    [
      [0, 1, 2, 3],
      [0, 1],
      [2, 3],
    ],
  );
});

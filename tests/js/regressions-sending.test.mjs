// @ts-check
// Defects that were reported of other libraries, and the behaviour that excludes each here; the name
// of a test ends with the reports. This file: timeouts, retries and the event loop.
import { DeliveryError, EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  afterEach,
  assert,
  eventually,
  fail,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  quickRetry,
  recorder,
  test,
  within,
} from "./harness.mjs";

/** @type {Clock | undefined} */
let clock;
afterEach(() => {
  clock?.restore();
  clock = undefined;
});

for (const [what, step] of Object.entries({
  "is aborted": hangUntilAborted,
  "ignores its signal": hang,
})) {
  test(`events are sent after timeouts, without a flush: the request ${what} (opentelemetry-js#4406)`, async () => {
    const sink = recorder([step, step, step]);
    const batch = { minSize: 1, maxDelayMs: 5 };
    const bus = new EventBus(sink.callback, { timeoutMs: 10, batch, retry: quickRetry });
    bus.ingest("early");
    await sink.calls(2);
    bus.ingest("late");
    await sink.calls(4);
    bus.ingest("in time");
    // Nobody flushes: it goes on by itself.
    await eventually(
      () => sink.delivered().length >= 3,
      () => `${sink.log.length} calls were made`,
    );
    assert.deepEqual(sink.delivered(), ["early", "late", "in time"]);
    const { delivered, inFlight } = accountedStats(bus);
    assert.deepEqual([delivered, inFlight], [3, 0]);
  });
}

/** Lets others have their turn. */
const turn = () =>
  new Promise((resolve) => (globalThis.setImmediate ?? globalThis.setTimeout)(resolve));

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  for (const [what, size, maxSize] of /** @type {const} */ ([
    ["large batches", 200, 1000],
    ["many small batches", 20, 10],
  ])) {
    test(`the event loop runs other tasks while a backlog is sent: ${what}, ${scheduler} (drift-node-sdk#156, langsmith-sdk#2781)`, async () => {
      /** The bytes and batches sent since other tasks last ran. */
      const sent = { bytes: 0, batches: 0 };
      const most = { bytes: 0, batches: 0 };
      const bus = new EventBus(
        ({ body }) => {
          sent.bytes += body.length;
          sent.batches++;
          most.bytes = Math.max(most.bytes, sent.bytes);
          most.batches = Math.max(most.batches, sent.batches);
        },
        { scheduler, batch: { minSize: maxSize, maxSize, maxDelayMs: HOUR_MS } },
      );
      for (let n = 0; n < 40_000; n++) bus.ingest("x".repeat(size - 2));
      let isOver = false;
      const flushed = bus.flush().finally(() => {
        isOver = true;
      });
      for (let turns = 0; !isOver; turns++) {
        assert.isBelow(turns, 100_000, "the flush does not end");
        await turn();
        Object.assign(sent, { bytes: 0, batches: 0 });
      }
      assert.equal((await flushed).delivered, 40_000);
      // Two tasks of the bus may fall between two turns of others.
      assert.isAtMost(most.bytes, 2 * (512 << 10));
      assert.isAtMost(most.batches, 2 * 8);
    });
  }
}

/** An answer that says when to come back. @param {number} seconds */
const busy = (seconds) =>
  DeliveryError.fromResponse(
    new Response("", { status: 429, headers: { "retry-after": String(seconds) } }),
  );

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  test(`a retry waits for Retry-After: ${scheduler} (posthog-js#4726, msgraph-sdk-javascript#978)`, async () => {
    clock = new Clock();
    const sink = recorder([fail(busy(3))]);
    const bus = new EventBus(sink.callback, { scheduler, retry: quickRetry });
    bus.ingest(1);
    const flushed = bus.flush();
    await sink.calls(1);
    await idle();
    await clock.advance(2999);
    assert.lengthOf(sink.log, 1, "not before its time");
    await clock.advance(51);
    assert.equal((await within(flushed, () => "not sent again")).delivered, 1);
    await bus.close();
  });
}

test("Retry-After of 0 leaves the pauses of the bus as they are", async () => {
  const times = await attemptTimes(4, { baseDelayMs: 60_000, maxDelayMs: 60_000 }, busy(0));
  const pauses = times.slice(1).map((time, i) => time - /** @type {number} */ (times[i]));
  assert.isAbove(Math.max(...pauses), 100, String(pauses));
});

/**
 * The times of a bus's attempts, whose callback fails until the last of so many: milliseconds since
 * the first.
 */
async function attemptTimes(
  /** @type {number} */ attempts,
  /** @type {import("shardbus").RetryOptions} */ retry,
  /** @type {unknown} */ error,
) {
  clock ??= new Clock();
  /** @type {number[]} */
  const times = [];
  const bus = new EventBus(
    () => {
      times.push(performance.now());
      if (times.length < attempts) throw error;
    },
    // Not by a flush, which would probe early.
    { retry, batch: { minSize: 1 } },
  );
  bus.ingest(1);
  await idle();
  await clock.advance(HOUR_MS);
  assert.equal(accountedStats(bus).delivered, 1);
  assert.lengthOf(times, attempts);
  return times.map((time) => time - /** @type {number} */ (times[0]));
}

for (const [what, error, least] of /** @type {const} */ ([
  ["were refused", new DeliveryError("no"), 0],
  ["met an outage", new Error("no"), 0.5],
])) {
  test(`clients that ${what} together retry apart from each other (openfga/js-sdk#208, posthog-js#4726)`, async () => {
    const longest = [1000, 2000, 4000, 8000, 8000];
    const attempts = longest.length + 1;
    const retry = { baseDelayMs: 1000, maxDelayMs: 8000 };
    const clients = [];
    for (let client = 0; client < 5; client++) {
      clients.push(await attemptTimes(attempts, retry, error));
    }
    for (let attempt = 1; attempt < attempts; attempt++) {
      const times = clients.map((client) => Math.round(client[attempt] ?? Number.NaN));
      assert.isAbove(new Set(times).size, 2, `attempt ${attempt + 1} of all is made at ${times}`);
    }
    for (const times of clients) {
      const pauses = times.slice(1).map((time, i) => time - /** @type {number} */ (times[i]));
      for (const [i, pause] of pauses.entries()) {
        const bound = /** @type {number} */ (longest[i]);
        assert.isAtLeast(pause, bound * least);
        // Timers count in whole milliseconds.
        assert.isAtMost(pause, bound + 1);
      }
    }
  });
}

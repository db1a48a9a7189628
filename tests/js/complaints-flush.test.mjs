// @ts-check
// Each test is named after a complaint about another library, whose threads it mentions, and shows
// that it cannot be made here. This file: flushing and closing.
import { DeliveryError, EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  assert,
  eventually,
  fail,
  HOUR_MS,
  hang,
  hangUntilAborted,
  idle,
  quickRetry,
  recorder,
  sum,
  test,
  within,
} from "./harness.mjs";

/** @typedef {import("shardbus").EventBusOptions<any>} Options */

const schedulers = /** @type {const} */ (["auto", "manual"]);

/** Notes whether a promise has settled. @param {Promise<unknown>} promise */
function watched(promise) {
  const state = { settled: false };
  const note = () => {
    state.settled = true;
  };
  promise.then(note, note);
  return state;
}

// segmentio/analytics-node#219, #309, amplitude/Amplitude-TypeScript#271
test("flush() resolves while earlier sends are still in flight", async () => {
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
  assert.include(await flushed, { delivered: 100, pending: 0, timedOut: false });
  assert.lengthOf(sink.delivered(), 100);
});

// segmentio/analytics-node#305, segmentio/analytics-next#822
test("of two flush() calls that overlap, one returns early", async () => {
  for (const scheduler of schedulers) {
    const sink = recorder([], hang);
    const bus = new EventBus(sink.callback, { scheduler, batch: { maxDelayMs: HOUR_MS } });
    bus.ingest("first");
    const first = bus.flush();
    await sink.calls(1);
    bus.ingest("second");
    const second = bus.flush();
    const state = watched(second);
    sink.log[0]?.release();
    assert.equal((await first).delivered, 1);
    await sink.calls(2);
    await idle();
    assert.isFalse(state.settled);
    sink.log[1]?.release();
    assert.equal((await second).delivered, 2);
  }
});

/** When an event is added. @type {Record<string, (add: () => void) => import("./harness.mjs").Step>} */
const moments = {
  "when the callback is called": (add) => () => add(),
  "while a batch is being sent": (add) => async () => {
    await null;
    add();
    await idle();
  },
  "as the sending fails": (add) => async () => {
    await idle();
    add();
    throw new Error("no");
  },
};

// PostHog/posthog-js#2144, PostHog/posthog-js-lite#245
for (const [moment, sendingWith] of Object.entries(moments)) {
  test(`events added during a flush are stranded until the next event: ${moment}`, async () => {
    const sink = recorder([sendingWith(() => bus.ingest("added"))]);
    /** @type {EventBus<any>} */
    const bus = new EventBus(sink.callback, { batch: { maxDelayMs: 5 }, retry: quickRetry });
    bus.ingest("flushed");
    await bus.flush();
    const isSent = () => sink.delivered().includes("added");
    await eventually(isSent, () => `${sink.log.length} calls were made`);
    assert.deepEqual(sink.delivered(), ["flushed", "added"]);
  });
}

/** What keeps a batch from being delivered. @type {Record<string, import("./harness.mjs").Step>} */
const obstacles = {
  "a callback that hangs": hang,
  "a callback that hangs until it is aborted": hangUntilAborted,
  "a batch that waits for its retry": fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS })),
};

// open-telemetry/opentelemetry-js#284, #6340, open-telemetry/opentelemetry-swift#449
for (const scheduler of schedulers) {
  for (const [what, step] of Object.entries(obstacles)) {
    test(`shutdown ignores its timeout and hangs: ${what} (${scheduler})`, async () => {
      const clock = new Clock();
      try {
        const sink = recorder([], step);
        /** @type {Options} */
        const options = { scheduler, timeoutMs: HOUR_MS, onDrop: () => {} };
        const bus = new EventBus(sink.callback, options);
        bus.ingestBatch([1, 2, 3]);
        const closed = bus.close({ timeoutMs: 500 });
        await sink.calls(1);
        await idle();
        await clock.advance(500);
        const report = await within(closed, () => "close does not end");
        assert.include(report, { abandoned: 3, pending: 0 });
        const running = sink.log.filter(({ outcome }) => outcome === "pending");
        assert.isTrue(running.every(({ signal }) => signal.aborted));
        assert.isEmpty(
          clock.timers.filter(({ isRef }) => isRef),
          "no timer keeps the process alive",
        );
        accountedStats(bus);
      } finally {
        clock.restore();
      }
    });
  }
}

// amplitude/Amplitude-TypeScript#963, snowplow/snowplow-javascript-tracker#438
test("after a timeout nobody knows whether events were stored, and they are duplicated", async () => {
  /** What the receiver has stored, by the batch's id. @type {Map<string, unknown[]>} */
  const stored = new Map();
  /** How many attempts of a shard have neither settled nor been cut off. @type {number[]} */
  const live = [0, 0, 0];
  /** @type {string[]} */
  const wrongs = [];
  const bus = new EventBus(
    async (batch, { signal, attempt }) => {
      const { id, shard, sequence } = batch;
      live[shard]++;
      if (live[shard] !== 1) wrongs.push(`${id} is sent while another of its shard is`);
      const before = stored.get(id);
      if (before && String(before) !== String([...batch]))
        wrongs.push(`${id} stands for two batches`);
      stored.set(id, batch.events());
      // The receiver has the batch, but the answer is lost.
      const isAnswered = attempt > 1 || sequence % 2 === 1;
      const end = () => live[shard]--;
      if (isAnswered) {
        end();
      } else {
        // Not after an `await`: that may be after the next attempt has begun.
        signal.addEventListener("abort", end);
        await new Promise(() => {});
      }
    },
    {
      shards: 3,
      timeoutMs: 10,
      batch: { minSize: 1, maxSize: 7 },
      retry: { baseDelayMs: 20, maxDelayMs: 20 },
    },
  );
  const events = Array.from({ length: 100 }, (_, n) => n);
  bus.ingestBatch(events);
  assert.equal((await bus.flush()).delivered, 100);
  assert.isAbove(accountedStats(bus).batches.retries, 0);
  assert.isEmpty(wrongs);
  assert.sameMembers([...stored.values()].flat(), events, "each event once, by the batch's id");
});

// MCPCat/mcpcat-typescript-sdk#65
for (const scheduler of schedulers) {
  test(`parallel flushes send events twice (${scheduler})`, async () => {
    const sink = recorder([fail("no")], () => idle());
    const batch = { minSize: 3, maxSize: 3, maxDelayMs: HOUR_MS };
    const bus = new EventBus(sink.callback, { scheduler, shards: 2, batch, retry: quickRetry });
    /** @type {Promise<import("shardbus").FlushReport>[]} */
    const flushes = [];
    for (let n = 0; n < 20; n++) {
      bus.ingest(n);
      flushes.push(bus.flush(), bus.flush());
    }
    const reports = await Promise.all(flushes);
    assert.deepEqual(
      reports.map(({ pending, timedOut }) => [pending, timedOut]),
      reports.map(() => [0, false]),
    );
    assert.sameMembers(sink.delivered(), [...Array(20).keys()]);
    assert.equal(sum(sink.log.map(({ count, outcome }) => (outcome === "failed" ? 0 : count))), 20);
  });
}

// @ts-check
// Defects that were reported of other libraries, and the behaviour that excludes each here; the name
// of a test ends with the reports. This file: flushing and closing.
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

/**
 * The moments at which an event is added.
 * @type {Record<string, (add: () => void) => import("./harness.mjs").Step>}
 */
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

for (const [moment, sendingWith] of Object.entries(moments)) {
  test(`an event added during a flush is sent without another, ${moment} (PostHog/posthog-js#2144, posthog-js-lite#245)`, async () => {
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

/** Obstacles to the delivery of a batch. @type {Record<string, import("./harness.mjs").Step>} */
const obstacles = {
  "a callback that hangs": hang,
  "a callback that hangs until it is aborted": hangUntilAborted,
  "a batch that waits for its retry": fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS })),
};

for (const scheduler of schedulers) {
  for (const [what, step] of Object.entries(obstacles)) {
    test(`close() ends with its timeout: ${what}, ${scheduler} (opentelemetry-js#284, #6340, opentelemetry-swift#449)`, async () => {
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

test("a batch keeps its id and its events after a timeout (Amplitude-TypeScript#963, snowplow-javascript-tracker#438)", async () => {
  /** The receiver's events, by the batch's id. @type {Map<string, unknown[]>} */
  const stored = new Map();
  /**
   * By shard, the number of attempts that have neither settled nor been cut off.
   * @type {number[]}
   */
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

for (const scheduler of schedulers) {
  test(`parallel flushes send each event once: ${scheduler} (mcpcat-typescript-sdk#65)`, async () => {
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

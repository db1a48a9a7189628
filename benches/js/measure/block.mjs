// The longest time for which a full bus, while it drains, keeps the event loop from other tasks.

import { EventBus } from "shardbus";
import { makeEvent } from "../events.mjs";
import { quantile } from "../statistics.mjs";
import { job, nextTurn } from "./job.mjs";

const DRAINS = 12;

/** The longest turn of the event loop until `isDone`, and all of them together, in milliseconds. */
function watch(isDone) {
  const start = performance.now();
  let longest = 0;
  let last = start;
  return new Promise((resolve) => {
    // Without promises or objects, so that it leaves nothing to collect.
    const turn = () => {
      const now = performance.now();
      if (now - last > longest) longest = now - last;
      last = now;
      if (isDone(now)) resolve({ longest, all: now - start });
      else setImmediate(turn);
    };
    setImmediate(turn);
  });
}

const callbacks = {
  /** Settles before the turn ends: whatever a bus does in one turn, it can do now. */
  "at once": async () => {},
  /** Settles in a later turn, as requests do. */
  later: nextTurn,
};

/**
 * Fills and drains a bus several times. Other programs interrupt this one, for milliseconds on a
 * busy machine, and that only makes a turn longer: the lower quartile of the drains shows the bus's
 * own time. Turns of the same length with nothing to do show the machine's load; they are not
 * subtracted, because the same interruption need not meet both.
 */
await job(async ({ callback }) => {
  const settle = callbacks[callback];
  let gate;
  let delivered = 0;
  const bus = new EventBus(
    async (batch) => {
      await gate;
      await settle();
      delivered += batch.count;
    },
    { maxBytes: 8 << 20, backpressure: "drop-newest", onDrop() {} },
  );
  const [draining, idle] = [[], []];
  let accepted = 0;
  for (let i = 0; i < DRAINS; i++) {
    let open;
    gate = new Promise((resolve) => {
      open = resolve;
    });
    while (bus.ingest(makeEvent(accepted))) accepted++;
    // Work that filling has started ends before the measurement begins.
    await nextTurn();
    globalThis.gc?.();
    await nextTurn();

    open();
    const drain = await watch(() => delivered === accepted);
    draining.push(drain.longest);
    const end = performance.now() + drain.all;
    idle.push((await watch((now) => now >= end)).longest);
  }
  const [drainingMs, idleMs] = [draining, idle].map((times) => quantile(times, 0.25));
  return { drainingMs, idleMs, events: accepted / DRAINS };
});

// How long a full bus, while it drains, keeps the event loop from anything else.

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
 * Fills and drains a bus several times. Other programs interrupt this one, for milliseconds where a
 * machine is busy, and that only ever makes a turn longer: so it is the lower quartile of the drains
 * that says what the bus does. Times just as long with nothing to do show how busy the machine is;
 * they are not subtracted, because what interrupts one need not interrupt the other.
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
    // What filling leaves to be done is over before it counts.
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

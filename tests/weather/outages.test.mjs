// @ts-check
// Bad weather, as a new user meets it: the package at its defaults, real receivers in processes of
// their own, real time. The cases run side by side.
import { setTimeout } from "node:timers/promises";
import { EventBus } from "shardbus";
import { accountedStats, assert, describe, it, within } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";
import { produce, sendTo } from "./traffic.mjs";

/** The time for which a receiver answers before an outage. */
const FAIR_MS = 1000;
/** The limit for all events to arrive after the receiver's return. */
const RECOVERY_MS = 10_000;

/** @type {{ name: string, state: import("./receiver.mjs").State, ms: number, rate: number }[]} */
const outages = [
  { name: "the port is closed, much traffic", state: "gone", ms: 10_000, rate: 900 },
  { name: "the port is closed", state: "gone", ms: 12_000, rate: 100 },
  { name: "status 503", state: 503, ms: 12_000, rate: 100 },
  { name: "status 429 with Retry-After", state: 429, ms: 12_000, rate: 100 },
];

describe("a receiver that is away for some seconds", { concurrency: true }, () => {
  for (const { name, state, ms, rate } of outages) {
    it(`gets every event, soon after it is back: ${name}, ${rate} events/s for ${ms / 1000} s`, async (t) => {
      const receiver = await startReceiver();
      /** @type {import("shardbus").Drop<any>[]} */
      const drops = [];
      const bus = new EventBus(sendTo(receiver.url), { onDrop: (drop) => drops.push(drop) });
      try {
        const stop = produce(bus, rate);
        await setTimeout(FAIR_MS);
        await receiver.become(state);
        await setTimeout(ms);
        const held = bus.stats();
        await receiver.become("up");
        const backAt = Date.now();
        const count = stop();
        const arrive = async () => {
          // Nobody flushes: the bus finds out by itself.
          while (bus.stats().delivered < count) await setTimeout(20);
        };
        await within(
          arrive(),
          () => `${bus.stats().delivered} of ${count} are there: ${bus.stats().lastError?.message}`,
          RECOVERY_MS,
        );
        await bus.close();
        const { requests, stored, lastAt } = await receiver.report();
        const { delivered, offered, batches } = accountedStats(bus);
        t.diagnostic(
          JSON.stringify({
            offered,
            delivered,
            dropped: drops.length,
            heldBytes: held.bytes.held,
            retries: batches.retries,
            requests,
            repeated: stored.length - new Set(stored).size,
            backMs: lastAt - backAt,
          }),
        );
        assert.deepEqual(drops, []);
        assert.deepEqual([offered, delivered], [count, count]);
        assert.sameMembers([...new Set(stored)], [...Array(count).keys()]);
        assert.isAbove(batches.retries, 2, "there was an outage");
        assert.isAtMost(batches.retries, 20, "which cost the receiver few requests");
      } finally {
        await bus.close({ timeoutMs: 0 });
        await receiver.stop();
      }
    });
  }
});

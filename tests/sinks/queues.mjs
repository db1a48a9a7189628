// @ts-check

// Cloudflare's queues as Miniflare has them. They are in memory, so what fails here is the call, not
// the queue.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { assert, within } from "../js/harness.mjs";
import { EVENTS, eventAt } from "./flood.mjs";
import { bundleWorker } from "./workers.mjs";

const REQUEST_EVENTS = 4000;

/** The limit of their way through the queue, in milliseconds. */
const RECEIVE_MS = 60_000;

/** Sends all events through a queue; returns the events that came out of it, and a summary. */
export async function floodQueue() {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-queues-"));
  /** @type {import("shardbus/sinks/cloudflare-queues").QueuedEvent<import("./flood.mjs").Event>[]} */
  const messages = [];
  /** Called when a message came. */
  let came = () => {};
  const miniflare = new Miniflare({
    ...(await bundleWorker("queue-worker.mjs", directory)),
    queueProducers: { EVENTS: "events" },
    queueConsumers: { events: { maxBatchSize: 100, maxBatchTimeout: 0.1 } },
    serviceBindings: {
      COLLECTOR: async (/** @type {any} */ request) => {
        for (const message of await request.json()) messages.push(message);
        came();
        return new Response();
      },
    },
  });
  const seen = new Set();
  let counted = 0;
  /** Resolves once so many different events came. @param {number} count */
  const received = async (count) => {
    for (;;) {
      for (; counted < messages.length; counted++) seen.add(messages[counted]?.id);
      if (seen.size >= count) return;
      await new Promise((resolve) => (came = () => resolve(undefined)));
    }
  };
  try {
    const url = await miniflare.ready;
    const start = performance.now();
    let calls = 0;
    let failed = 0;
    for (let first = 0; first < EVENTS; first += REQUEST_EVENTS) {
      const events = Array.from({ length: REQUEST_EVENTS }, (_, i) => eventAt(first + i));
      const response = await fetch(url, { method: "POST", body: JSON.stringify(events) });
      const report = await response.json();
      assert.equal(report.delivered, REQUEST_EVENTS);
      ({ calls, failed } = report);
      // Miniflare has a timer for each message, and workerd no more than 10,000.
      const all = received(first + REQUEST_EVENTS);
      await within(all, () => `${seen.size} events came out of the queue`, RECEIVE_MS);
    }
    const seconds = (performance.now() - start) / 1000;
    return { messages, calls, failed, seconds };
  } finally {
    await miniflare.dispose();
    await rm(directory, { recursive: true });
  }
}

// @ts-check
// A program for StarlingMonkey. A module's top level runs once, before the snapshot that every
// instance begins from.
import { EventBus } from "shardbus/js";

/** @type {any[]} */
const delivered = [];
const bus = new EventBus(
  (batch) => {
    for (const text of batch) delivered.push(JSON.parse(text));
  },
  { shards: 4, key: (/** @type {any} */ event) => `user ${event.n % 7}`, scheduler: "manual" },
);
bus.ingest({ n: 0, text: "before the snapshot: ü€😀" });

/** Sends a thousand events more, and returns the arrivals and the run. */
export async function run() {
  for (let n = 1; n <= 1000; n++) bus.ingest({ n, text: "ü€😀" });
  await bus.flush();
  const different = new Set(delivered.map(({ n }) => n)).size;
  return JSON.stringify({ delivered: delivered.length, different, runId: bus.stats().runId });
}

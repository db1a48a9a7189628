// The cost of holding events, as during an outage: memory, and the pause of a full garbage
// collection. Node alone, with --expose-gc.

import process from "node:process";
import { getHeapStatistics } from "node:v8";
import { makeBus } from "../candidates/shardbus.mjs";
import { makeEvent } from "../events.mjs";
import { quantile } from "../statistics.mjs";
import { job } from "./job.mjs";

const COLLECTIONS = 11;
const encoder = new TextEncoder();

/** Holds events in an array. */
function inArray(count, prepare) {
  const held = [];
  for (let i = 0; i < count; i++) held.push(prepare(makeEvent(i)));
  return held;
}

/** The ways to hold events; each returns what keeps them alive. */
const ways = {
  nothing() {},
  objects: (count) => inArray(count, (event) => event),
  strings: (count) => inArray(count, (event) => JSON.stringify(event)),
  bytes: (count) => inArray(count, (event) => encoder.encode(JSON.stringify(event))),
  shardbus(count) {
    const deliver = () => new Promise(() => {});
    const options = { maxBytes: 512 << 20, capacity: 1 << 20 };
    const bus = makeBus({ batchSize: 500, deliver }, options);
    for (let i = 0; i < count; i++) bus.ingest(makeEvent(i));
    return bus;
  },
};

function collectGarbage() {
  globalThis.gc();
  globalThis.gc();
}

function pause() {
  const start = performance.now();
  globalThis.gc();
  return performance.now() - start;
}

await job(async ({ way, events }) => {
  // Every way begins with the garbage that serialising leaves, so that none is charged for it.
  let payloadBytes = 0;
  for (let i = 0; i < events; i++) payloadBytes += JSON.stringify(makeEvent(i)).length;
  collectGarbage();
  const heapBefore = getHeapStatistics().used_heap_size;
  const rssBefore = process.memoryUsage().rss;

  const held = ways[way](events);
  // A bus's work at the end of a turn is part of the cost.
  await new Promise((resolve) => setTimeout(resolve));
  collectGarbage();
  const heapBytes = getHeapStatistics().used_heap_size - heapBefore;
  const rssBytes = process.memoryUsage().rss - rssBefore;
  // An interruption of this process makes a pause longer, never shorter.
  const pauseMs = quantile(Array.from({ length: COLLECTIONS }, pause), 0.25);
  const pending = held?.stats?.().offered ?? held?.length ?? 0;
  if (way !== "nothing" && pending !== events) throw new Error(`${way} holds ${pending} events`);
  return { payloadBytes, heapBytes, rssBytes, pauseMs };
});

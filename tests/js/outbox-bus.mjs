// @ts-check
// Buses with a store, for tests.
import { EventBus } from "shardbus";
import { HOUR_MS, hangUntilAborted, quickRetry, recorder } from "./harness.mjs";
import { MemoryStore } from "./memory-store.mjs";

const pairs = { batch: { minSize: 2, maxSize: 2, maxDelayMs: HOUR_MS }, retry: quickRetry };

/**
 * A bus with a store.
 *
 * @param {import("./harness.mjs").Step[]} script
 * @param {MemoryStore} store
 * @param {import("shardbus").EventBusOptions<any>} [options]
 */
export function busWith(script, store, options) {
  const sink = recorder(script);
  /** @type {any[]} */
  const errors = [];
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const bus = new EventBus(sink.callback, {
    ...pairs,
    store,
    onStoreError: (error) => errors.push(error),
    onDrop: (drop) => drops.push(drop),
    ...options,
  });
  return { bus, sink, errors, drops };
}

/**
 * A store with the batches of a run that ended in the middle: two events each, the first in flight
 * and the others not sent.
 *
 * @param {any[]} events
 */
export async function leftStore(events) {
  const store = new MemoryStore();
  const { bus, sink } = busWith([hangUntilAborted], store);
  bus.ingestBatch(events);
  await sink.calls(1);
  await bus.close({ timeoutMs: 0 });
  store.log = [];
  return { store, ids: [...store.batches.keys()].map((key) => key.slice(21)) };
}

/** The events that the next run delivers. @param {MemoryStore} store */
export async function nextRun(store) {
  const { bus, sink } = busWith([], store);
  await bus.flush();
  await bus.close();
  return sink.delivered();
}

/** The events that the next run would deliver if this one ended now. @param {MemoryStore} store */
export async function sentNext(store) {
  const copy = new MemoryStore();
  copy.batches = new Map(store.batches);
  return nextRun(copy);
}

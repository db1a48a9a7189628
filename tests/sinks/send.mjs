// @ts-check
import { EventBus } from "shardbus";
import { quickRetry } from "../js/harness.mjs";

/**
 * Sends events by a sink, and returns the counts of the bus.
 *
 * @param {import("shardbus").DeliveryCallback} sink
 * @param {unknown[]} events
 * @param {import("shardbus").EventBusOptions} [options]
 */
export async function send(sink, events, options) {
  const bus = new EventBus(sink, { retry: quickRetry, onDrop() {}, ...options });
  bus.ingestBatch(events);
  await bus.close();
  return bus.stats();
}

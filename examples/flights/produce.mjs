// @ts-check
import { setImmediate } from "node:timers/promises";

const CHUNK = 250;

/**
 * Offers every flight in file order as `{ n, ...flight }`, `n` being its place in the file. When the
 * bus is full, waits for room and offers the same event again, so nothing is lost or overtaken.
 *
 * @param {import("shardbus").EventBus} bus
 * @param {import("./flights.mjs").Flight[]} flights
 * @returns {Promise<number>} how many times the bus said that it was full
 */
export async function produce(bus, flights) {
  let refusals = 0;
  for (const [n, flight] of flights.entries()) {
    while (!bus.ingest({ n, ...flight })) {
      refusals++;
      await bus.ready();
    }
    // A real producer has other things to do; a loop that never yields would let nothing be sent.
    if (n % CHUNK === CHUNK - 1) await setImmediate();
  }
  return refusals;
}

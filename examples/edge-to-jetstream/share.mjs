// @ts-check
import { loadFlights } from "../flights/flights.mjs";

/**
 * The flights of a share; after the last there is comes the first again.
 *
 * @param {import("./producers.mjs").Share} share
 */
export async function flightsOf({ from, count }) {
  const flights = await loadFlights();
  return Array.from({ length: count }, (_, i) => flights[(from + i) % flights.length]);
}

/**
 * Divides events among so many.
 *
 * @param {number} events
 * @param {number} parts
 * @returns {import("./producers.mjs").Share[]}
 */
export function divide(events, parts) {
  const beginnings = Array.from({ length: parts + 1 }, (_, i) => Math.floor((events * i) / parts));
  return beginnings.slice(0, -1).map((from, i) => ({ from, count: beginnings[i + 1] - from }));
}

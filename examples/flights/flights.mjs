// @ts-check
import { readFile } from "node:fs/promises";

/** @typedef {{ date: string, delay: number, distance: number, origin: string, destination: string }} Flight */

/**
 * The 20,000 flight records of `vega-datasets`, in file order.
 *
 * @returns {Promise<Flight[]>}
 */
export async function loadFlights() {
  // The package exports its code only, so the data is found relative to the entry (build/index.js).
  const file = new URL("../data/flights-20k.json", import.meta.resolve("vega-datasets"));
  return JSON.parse(await readFile(file, "utf8"));
}

// @ts-check
import { isDeepStrictEqual } from "node:util";

/** @typedef {import("./flights.mjs").Flight} Flight */
/** @typedef {import("./collector.mjs").StoredBatch} StoredBatch */

/**
 * Compares what arrived with the file: every event exactly once and unchanged, and per origin in
 * file order.
 *
 * @param {Flight[]} flights
 * @param {Iterable<StoredBatch>} batches in order of arrival, without duplicates
 * @returns {string[]} one sentence per fault; empty if all is well
 */
export function checkArrivals(flights, batches) {
  /** @type {string[]} */
  const faults = [];
  /** @type {Map<number, string>} event number to the batch it came in */
  const arrivedIn = new Map();
  /** @type {Map<string, { n: number, shard: number }>} origin to its latest event */
  const latest = new Map();

  for (const batch of batches) {
    for (const line of batch.body.toString().split("\n")) {
      if (line === "") continue; // after the last newline
      const event = parse(line);
      if (event === undefined || !Object.hasOwn(flights, event.n)) {
        faults.push(`Batch ${batch.id} holds a line that is no event of ours: ${line}`);
        continue;
      }
      const { n, ...flight } = event;
      if (!isDeepStrictEqual(flight, flights[n])) {
        faults.push(`Event ${n} arrived changed: ${line}`);
      }
      const earlier = arrivedIn.get(n);
      if (earlier !== undefined) {
        faults.push(`Event ${n} arrived twice, in batch ${earlier} and in batch ${batch.id}.`);
        continue;
      }
      arrivedIn.set(n, batch.id);

      const { origin } = flights[n];
      const previous = latest.get(origin);
      if (previous && previous.n > n) {
        faults.push(`Order broken for origin ${origin}: event ${n} came after ${previous.n}.`);
      }
      if (previous && previous.shard !== batch.shard) {
        faults.push(`Origin ${origin} moved from shard ${previous.shard} to ${batch.shard}.`);
      }
      latest.set(origin, { n, shard: batch.shard });
    }
  }

  for (const n of flights.keys()) {
    if (!arrivedIn.has(n)) faults.push(`Event ${n} never arrived.`);
  }
  return faults;
}

/**
 * Checks that the bus accounts for every offered event, and that its count is the producer's.
 *
 * @param {ReturnType<import("shardbus").EventBus["stats"]>} stats
 * @param {number} offered how many times the producer called `ingest`
 * @returns {string[]} one sentence per fault; empty if all is well
 */
export function checkAccounting(stats, offered) {
  const faults = [];
  if (stats.offered !== offered) {
    faults.push(`${offered} events were offered, but the bus counts ${stats.offered}.`);
  }
  const taken = stats.accepted + sum(stats.rejected);
  if (stats.offered !== taken) {
    faults.push(`offered is ${stats.offered}, but accepted and rejected add up to ${taken}.`);
  }
  const { delivered, evicted, abandoned, drained, pending, inFlight } = stats;
  const ended = delivered + evicted + sum(abandoned) + drained + pending + inFlight;
  if (stats.accepted !== ended) {
    faults.push(`accepted is ${stats.accepted}, but what became of them adds up to ${ended}.`);
  }
  return faults;
}

/** @param {string} line */
function parse(line) {
  try {
    const event = JSON.parse(line);
    return Number.isInteger(event?.n) ? event : undefined;
  } catch {
    return undefined;
  }
}

/** @param {Record<string, number>} counts */
function sum(counts) {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

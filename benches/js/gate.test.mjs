// Limits of the package's cost that only a large regression exceeds; `report.mjs` compares with the
// targets. Ratios within one process, turn by turn, hold on a slow or busy machine.

import assert from "node:assert/strict";
import { test } from "node:test";
import { measure } from "./processes.mjs";

const TURNS = { rounds: 300, warmUp: 300 };

/**
 * Ways to ingest, the baseline of each, and the highest ratio that passes: about twice today's, so
 * that a threefold regression fails and a noisy machine does not.
 */
const LIMITS = [
  ["shardbus-ingest", "js-ndjson-strings", 2],
  ["shardbus-ingest-batch", "js-array-stringify", 2.5],
  ["shardbus-ingest-raw", "js-raw-strings", 3],
  ["shardbus-64-shards", "shardbus-keyed", 2],
];

for (const [ours, theirs, limit] of LIMITS) {
  test(`${ours} takes at most ${limit} times as long as ${theirs}`, async (t) => {
    const { [ours]: figures } = await measure("turns", { lines: [theirs, ours], ...TURNS });
    t.diagnostic(`${figures.ratio.toFixed(2)} times`);
    assert.ok(figures.ratio <= limit, `it takes ${figures.ratio.toFixed(2)} times as long`);
  });
}

const HELD = 100_000;
const MAX_HEAP_BYTES = 2_000_000;

test(`${HELD} events that wait take at most ${MAX_HEAP_BYTES} bytes of the JavaScript heap`, async (t) => {
  const { heapBytes } = await measure("retention", { way: "shardbus", events: HELD });
  t.diagnostic(`${heapBytes} bytes`);
  assert.ok(heapBytes <= MAX_HEAP_BYTES, `they take ${heapBytes} bytes`);
});

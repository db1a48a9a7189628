// The comparisons turn by turn, with their targets in the newest two versions of Node.

/**
 * @typedef {object} Comparison
 * @property {string} id
 * @property {string} ours a candidate
 * @property {string} theirs the candidate that it is compared with
 * @property {number} perTurn events in one turn of the event loop
 * @property {"flat" | "fresh"} strings the strings of the events
 * @property {Record<string, number>} [bar] by the major version of Node
 * @property {number} [stretch]
 */

const bars = (on24, on26, stretch) => ({ bar: { 24: on24, 26: on26 }, stretch });
const thousand = { perTurn: 1000, strings: "flat" };

/** @type {Comparison[]} */
export const comparisons = [
  ...[1, 10, 100].map((perTurn) => ({
    id: "E1",
    ours: "shardbus-ingest",
    theirs: "evlog",
    perTurn,
    strings: "flat",
    ...(perTurn === 1 && bars(2.5, 3, 1.5)),
  })),
  ...["flat", "fresh"].map((strings) => ({
    id: "E2",
    ours: "shardbus-ingest",
    theirs: "js-ndjson-strings",
    perTurn: 1000,
    strings,
    ...(strings === "flat" && bars(1.08, 1.12, 1)),
  })),
  {
    id: "E3",
    ours: "shardbus-ingest-batch",
    theirs: "js-array-stringify",
    ...thousand,
    ...bars(1.12, 1.27, 1.05),
  },
  {
    id: "E4",
    ours: "shardbus-emit-json",
    theirs: "js-array-stringify",
    ...thousand,
    ...bars(1.06, 1.08, 1),
  },
  {
    id: "E4",
    ours: "shardbus-emit-json",
    theirs: "opentelemetry-processor",
    ...thousand,
    ...bars(1, 1, 1),
  },
  {
    id: "E4",
    ours: "shardbus-emit",
    theirs: "js-array-stringify",
    ...thousand,
  },
  {
    id: "E5",
    ours: "shardbus-ingest-raw-bytes",
    theirs: "js-raw-bytes",
    ...thousand,
    ...bars(2, 1.8, 1.3),
  },
  {
    id: "E5",
    ours: "shardbus-ingest-raw",
    theirs: "js-raw-strings",
    ...thousand,
    ...bars(1.25, 1.5, 1.1),
  },
  {
    id: "E6",
    ours: "shardbus-8-shards",
    theirs: "js-array-stringify",
    ...thousand,
    ...bars(1.35, 1.5, 1.2),
  },
  { id: "P7", ours: "shardbus-64-shards", theirs: "shardbus-keyed", ...thousand },
];

/** The options of the measurement `turns`. @param {Comparison} comparison */
export const turnOptions = ({ ours, theirs, perTurn, strings }) => ({
  lines: [theirs, ours],
  perTurn,
  strings,
});

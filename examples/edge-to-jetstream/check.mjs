// @ts-check
import { checkAccounting, checkArrivals } from "../flights/check.mjs";

/** @typedef {import("../flights/flights.mjs").Flight} Flight */
/** @typedef {import("../flights/collector.mjs").StoredBatch} StoredBatch */
/** @typedef {import("./consumer.mjs").Line} Line */

/**
 * @typedef {object} Findings
 * @property {string[]} faults one sentence each; empty if all is well
 * @property {number} repeated events that came again, known by their ids
 * @property {number} late events that came after a later one of their shard
 */

/**
 * Compares the collected events with the produced ones: every event arrived unchanged and, without
 * repetitions, once; and in the stream the events of a shard are in order, with none missing.
 *
 * @param {{ [producer: string]: Flight[] }} produced
 * @param {Iterable<StoredBatch>} batches in order of arrival
 * @returns {Findings}
 */
export function checkArrived(produced, batches) {
  const { subjects, repeated, late } = withoutRepetitions(batches);
  const faults = Object.entries(produced).flatMap(([name, flights]) => {
    const ofName = [...subjects].filter(([subject]) => subject.split(".")[1] === name);
    const shards = ofName.map(([subject, lines]) => shardOf(subject, lines));
    const wrong = shards.flatMap(({ wrong }) => wrong);
    return [...wrong, ...checkArrivals(flights, shards).map((fault) => `${name}: ${fault}`)];
  });
  return { faults, repeated, late };
}

/**
 * The events of a shard, in the order of the stream, which consumers that share it do not keep.
 *
 * @param {string} subject
 * @param {Line[]} lines
 */
function shardOf(subject, lines) {
  const shard = Number(subject.split(".")[2]);
  const inOrder = lines.toSorted((a, b) => a.sequence - b.sequence);
  const wrong = inOrder
    .map(({ id }, i) => ({ id, i }))
    .filter(({ id, i }) => !id.endsWith(`-${shard}-${i}`))
    .map(({ id, i }) => `${subject}: message ${i} has the id ${id}.`);
  const body = Buffer.from(inOrder.map(({ event }) => JSON.stringify(event)).join("\n"));
  return { id: subject, shard, sequence: 0, body, wrong };
}

/**
 * Checks that a bus has delivered all offered events, and accounts for every offer.
 *
 * @param {string} name
 * @param {number} count
 * @param {import("./producer.mjs").Progress | undefined} progress the last one
 */
export function checkProducer(name, count, progress) {
  if (progress?.refusals === undefined) return [`${name}: it did not come to its end.`];
  const { stats, refusals } = progress;
  const faults = checkAccounting(stats, count + refusals);
  if (stats.delivered !== count) faults.push(`${stats.delivered} of ${count} were delivered.`);
  return faults.map((fault) => `${name}: ${fault}`);
}

/** @param {Iterable<StoredBatch>} batches */
function withoutRepetitions(batches) {
  /** @type {Map<string, Line[]>} */
  const subjects = new Map();
  const ids = new Set();
  /** The latest that came, by subject. @type {Map<string, number>} */
  const latest = new Map();
  let repeated = 0;
  let late = 0;
  for (const { body } of batches) {
    for (const text of body.toString().split("\n")) {
      /** @type {Line} */
      const line = JSON.parse(text);
      if (ids.has(line.id)) {
        repeated++;
        continue;
      }
      ids.add(line.id);
      const lines = subjects.get(line.subject) ?? [];
      subjects.set(line.subject, lines);
      lines.push(line);
      const before = latest.get(line.subject) ?? 0;
      if (line.sequence < before) late++;
      latest.set(line.subject, Math.max(line.sequence, before));
    }
  }
  return { subjects, repeated, late };
}

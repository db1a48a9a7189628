// @ts-check
// The caption of the drawing: a sentence or two, chosen by the numbers.
import { ROOM } from "./drawing-shapes.js";

/** @param {import("./world.js").World} world @param {import("./ledger.js").Account} account @param {import("shardbus").BusStats | undefined} stats */
export function captionOf(world, account, stats) {
  const { receiver, ghost, settings, storeError } = world;
  const count = (/** @type {number} */ n) => n.toLocaleString("en");
  if (storeError && settings.hasStore)
    return `The outbox does not work in this page: ${storeError}`;
  if (!stats) {
    if (account.outbox > 0)
      return `The tab is closed. ${count(account.outbox)} of its events are in the outbox; the next tab sends them.`;
    if (account.losses.gone > 0)
      return `The tab is closed, and ${count(account.losses.gone)} events are gone with it. Switch the outbox on, and close it again.`;
    return "The tab is closed. It sent its last events as it went.";
  }
  const isFull = stats.shards.some(({ pending }) => pending >= ROOM);
  if (receiver.weather === "down") {
    const array =
      ghost.lost > 0 ? ` The array has lost ${count(ghost.lost)}, and nobody knows.` : "";
    if (!isFull)
      return `The receiver is down. Batches wait, and one request at a time probes it.${array}`;
    return `${whenFull(settings.backpressure)}${array}`;
  }
  if (receiver.weather === "limited")
    return "The receiver answers 429 with Retry-After: 2. A batch that it refused waits for that time.";
  if (isFull) return whenFull(settings.backpressure);
  if (receiver.weather === "slow")
    return "Each answer takes almost two seconds. One batch of each shard is in flight, and new events wait behind it.";
  if (account.outbox > 0)
    return "The new tab has found the outbox, and sends its batches beside new events.";
  if (account.waiting + account.inFlight > 1000)
    return "The receiver is back. The oldest batches go first, and each shard keeps its order.";
  return "Each colour is a user, whose events stay in one shard, in order. Batches leave by size or age, one at a time from each shard.";
}

/** @param {string} backpressure */
function whenFull(backpressure) {
  switch (backpressure) {
    case "drop-newest":
      return "A shard is full: ingest() returns false for new events, and each is counted as refused.";
    case "fail-producer":
      return "A shard is full: ingest() throws a BackpressureError, and each event is counted as refused.";
    case "sample":
      return "A shard is three quarters full or more: one event in four is taken, and the others are counted as refused.";
    default:
      return "A shard is full: each new event evicts the oldest one, which is counted and reported.";
  }
}

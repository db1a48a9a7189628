// @ts-check
import { setTimeout } from "node:timers/promises";
import { Display, render } from "./board.mjs";

/** Some times longer than JetStream waits for an acknowledgement. */
const STANDSTILL_MS = 60_000;

/**
 * The watched processes; `failure` rejects when one ended that should not have.
 *
 * @typedef {object} Pipeline
 * @property {import("./producers.mjs").Producer[]} producers
 * @property {import("./consumers.mjs").Consumer[]} consumers
 * @property {import("./stream.mjs").Stream} stream
 * @property {Promise<unknown>} producing resolves when all is produced
 * @property {Promise<unknown>} failure
 */

/**
 * Shows rates and lags until all was produced and handed on. Then it stops the consumers, and shows
 * how it went.
 *
 * @param {Pipeline} pipeline
 */
export async function watch({ producers, consumers, stream, producing, failure }) {
  let isProduced = false;
  producing.then(
    () => {
      isProduced = true;
    },
    () => {}, // it is a failure too
  );

  /** @returns {Promise<import("./board.mjs").Standing>} */
  const look = async () => {
    const at = performance.now();
    return {
      producers: producers.map((one) => counts(one.name, one.runtime, one.progress, at)),
      consumers: consumers.map((one) => counts(one.name, one.title(), one.progress(), at)),
      stream: await stream.look(),
    };
  };

  const display = new Display();
  const start = await look();
  const startedAt = performance.now();
  let before = start;
  let changedAt = startedAt;
  for (;;) {
    await Promise.race([setTimeout(display.isLive ? 250 : 1000), failure]);
    const isLast = isProduced;
    const now = await look();
    display.show(render(now, before));
    if (isLast && now.stream.pending + now.stream.unacknowledged === 0) break;
    if (total(now) > total(before)) changedAt = performance.now();
    if (performance.now() - changedAt > STANDSTILL_MS) throw new Error("Nothing moves any more.");
    before = now;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);

  for (const consumer of consumers) await consumer.stop();
  const end = await look();
  // Each by its own time.
  for (const [i, { first, latest }] of producers.entries()) {
    start.producers[i].at = first;
    end.producers[i].at = latest;
  }
  display.show(`${render(end, start)}\nall of it in ${seconds} s, starting the runtimes included`);
}

/**
 * @param {string} name
 * @param {string} title
 * @param {{ stats: import("shardbus").BusStats } | undefined} progress
 * @param {number} at
 * @returns {import("./board.mjs").Counts}
 */
function counts(name, title, progress, at) {
  const { accepted = 0, delivered = 0, pending = 0, inFlight = 0 } = progress?.stats ?? {};
  const retries = progress?.stats.batches.retries ?? 0;
  return { name, title, at, accepted, delivered, held: pending + inFlight, retries };
}

/** @param {import("./board.mjs").Standing} standing */
const total = ({ consumers, stream }) =>
  consumers.reduce((sum, { delivered }) => sum + delivered, stream.messages);

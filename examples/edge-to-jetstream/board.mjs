// @ts-check
import { clearScreenDown, moveCursor } from "node:readline";
import Table from "cli-table3";

/**
 * The progress of a producer or a consumer at the time `at`, in milliseconds.
 *
 * @typedef {{ name: string, title: string, at: number, accepted: number, delivered: number, held: number, retries: number }} Counts
 */

/**
 * All progress at one moment.
 *
 * @typedef {object} Standing
 * @property {Counts[]} producers
 * @property {Counts[]} consumers
 * @property {Awaited<ReturnType<import("./stream.mjs").Stream["look"]>>} stream
 */

const SHARDS = [0, 1, 2, 3];

const number = (/** @type {number} */ n) => Math.round(n).toLocaleString("en-US");

/**
 * Rates and lags as tables.
 *
 * @param {Standing} now
 * @param {Standing} before the earlier moment, for the rates
 */
export function render({ producers, consumers, stream }, before) {
  const edge = table([
    "producer",
    ...["accepted/s", "delivered/s", "held"],
    ...SHARDS.map((shard) => `shard ${shard}`),
  ]);
  for (const [i, now] of producers.entries()) {
    const then = before.producers[i];
    edge.push([
      now.title,
      number(rate(now.accepted - then.accepted, now, then)),
      number(rate(now.delivered - then.delivered, now, then)),
      number(now.held),
      ...SHARDS.map((shard) => number(stream.subjects[`flights.${now.name}.${shard}`] ?? 0)),
    ]);
  }
  const engine = table(["consumer", "handed on/s", "handed on", "held", "retries"]);
  for (const [i, now] of consumers.entries()) {
    const then = before.consumers[i];
    const perSecond = rate(now.delivered - then.delivered, now, then);
    engine.push([
      now.title,
      ...[perSecond, now.delivered, now.held, now.retries].map((count) => number(count)),
    ]);
  }
  const { messages, pending, unacknowledged, redelivered } = stream;
  return `${edge}
${engine}
stream: ${number(messages)} messages; lag of the group: ${number(pending)} to deliver, ${number(unacknowledged)} to acknowledge (${number(redelivered)} of them delivered again)`;
}

/** Per second. @param {number} count @param {{ at: number }} now @param {{ at: number }} then */
function rate(count, now, then) {
  return now.at > then.at ? (count / (now.at - then.at)) * 1000 : 0;
}

/** @param {string[]} head */
function table(head) {
  return new Table({
    head,
    colAligns: head.map((_, column) => (column === 0 ? "left" : "right")),
    style: { head: [], border: [] }, // no colours: in a log they would be escape codes
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" }, // no line between rows
  });
}

/** Shows texts, on a terminal each in the place of the one before. */
export class Display {
  isLive = Boolean(process.stdout.isTTY && !process.env.CI);
  #lines = 0;

  /** @param {string} text */
  show(text) {
    if (this.isLive) {
      moveCursor(process.stdout, 0, -this.#lines);
      clearScreenDown(process.stdout);
      const { columns } = process.stdout;
      const heights = text.split("\n").map(({ length }) => Math.ceil(length / columns));
      this.#lines = heights.reduce((total, height) => total + height, 0);
    }
    console.log(text);
  }
}

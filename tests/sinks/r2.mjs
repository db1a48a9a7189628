// @ts-check

// R2 as Miniflare has it. What fails here is the answer: the object is there, and nobody knows.
import { Miniflare } from "miniflare";
import { r2Sink } from "shardbus/sinks/r2";
import { assert } from "../js/harness.mjs";
import { flood } from "./flood.mjs";

/**
 * The used part of a bucket; Miniflare's own type needs those of Workers.
 *
 * @typedef {import("shardbus/sinks/r2").ObjectBucket & {
 *   list(options: { cursor?: string }): Promise<{
 *     objects: { key: string }[], cursor?: string
 *   }>,
 *   get(key: string): Promise<{
 *     httpMetadata: { contentType: string }, text(): Promise<string>
 *   } | null>,
 * }} Bucket
 */

/** Of so many answers, one is lost. */
const LOST_ANSWER = 7;

/** Sends all events to a bucket; returns its events, in the order of its keys, and a summary. */
export async function floodR2() {
  const miniflare = new Miniflare({
    modules: true,
    script: "export default {};",
    compatibilityDate: "2026-01-01",
    r2Buckets: ["EVENTS"],
  });
  try {
    /** @type {Bucket} */
    const bucket = /** @type {any} */ (await miniflare.getR2Bucket("EVENTS"));
    let puts = 0;
    /** @type {import("shardbus/sinks/r2").ObjectBucket} */
    const losingAnswers = {
      async put(key, value, options) {
        await bucket.put(key, value, options);
        if (++puts % LOST_ANSWER === 0) throw new Error("put: the connection was lost");
      },
    };
    const server = { kill: async () => {}, start: async () => {} };
    const proxy = { withhold: async () => {}, cut: () => {} };
    const run = await flood(r2Sink(losingAnswers), server, proxy);
    return { found: await read(bucket), run };
  } finally {
    await miniflare.dispose();
  }
}

/** @param {Bucket} bucket */
async function read(bucket) {
  /** @type {import("./flood.mjs").Found[]} */
  const found = [];
  /** @type {string | undefined} */
  let cursor;
  do {
    const page = await bucket.list(cursor === undefined ? {} : { cursor });
    ({ cursor } = page);
    for (const { key } of page.objects) {
      const object = await bucket.get(key);
      assert.equal(object?.httpMetadata?.contentType, "application/x-ndjson");
      const [, life = "", file = ""] = key.split("/");
      const [sequence] = file.split(".").map(Number);
      const lines = (await object?.text())?.split("\n") ?? [];
      lines.forEach((line, i) => {
        const id = `${life}-${Number(sequence) + i}`;
        found.push({ shard: Number(life.split("-")[1]), id, event: JSON.parse(line) });
      });
    }
  } while (cursor !== undefined);
  return found;
}

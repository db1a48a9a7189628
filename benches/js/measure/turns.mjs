// Compares candidates, or builds of the package, turn by turn within one process: every round, each
// gets one turn of the event loop with its events, so that a machine that changes its speed changes
// it for all of them. Finer than processes of their own, and of the main thread alone.
//
//     cd benches/js && node measure/turns.mjs \
//       '{"lines": ["js-ndjson-strings", "shardbus-ingest", "shardbus-ingest=../../before/dist"]}'

import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { median } from "../statistics.mjs";
import { job } from "./job.mjs";

register("./turns-resolve.mjs", import.meta.url);

/** Events of a batch. */
const BATCH = 500;

/** A candidate by its name, of a build that is in another directory if there is a `=`. */
async function start(line, index) {
  const [name, build] = line.split("=");
  const url = build === undefined ? "" : pathToFileURL(`${resolve(build)}/index.js`).href;
  // Modules of its own, so that candidates do not share what engines learn of code.
  const query = `?${new URLSearchParams({ index, build: url })}`;
  const { candidates } = await import(`../candidates/index.mjs${query}`);
  const { source, turn } = await import(`./feed.mjs${query}`);
  const { create, input } = candidates[name];
  const pipeline = await create({ batchSize: BATCH, deliver: async () => {} });
  const event = source(input);
  let next = 0;
  const run = async () => {
    const start = process.hrtime.bigint();
    const first = next;
    next = await turn(pipeline, event, first);
    return Number(process.hrtime.bigint() - start) / 1000 / (next - first);
  };
  return { line, run, times: [] };
}

/** Microseconds per event, and how many times those of the first line: medians over rounds. */
await job(async ({ lines, rounds = 2000, warmUp = 500 }) => {
  const all = await Promise.all(lines.map(start));
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < all.length; i++) {
      // The order changes, so that a candidate does not always follow the same one.
      const { run, times } = all[(i + Math.max(round, 0)) % all.length];
      const time = await run();
      if (round >= 0) times.push(time);
    }
  }
  const [base] = all;
  const figures = all.map(({ line, times }) => {
    const ratios = times.map((time, round) => time / base.times[round]);
    return [line, { microseconds: median(times), ratio: median(ratios) }];
  });
  return Object.fromEntries(figures);
});

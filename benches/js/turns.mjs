// Compares candidates, or builds of the package, turn by turn within one process: every round, each
// gets one turn of the event loop with its events, so that a machine that changes its speed changes
// it for all of them. Finer than fresh processes, and without what a process costs beside its main
// thread; for looking at a change, not for the table.
//
//     node --expose-gc benches/js/turns.mjs js-ndjson-strings shardbus-ingest \
//       shardbus-ingest=../before/pkg-js/dist
//
// The first is what the others are compared with.

import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { quantile } from "./statistics.mjs";

register("./turns-resolve.mjs", import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "1500" },
    "warm-up": { type: "string", default: "500" },
  },
});

/** Modules of its own for each, so that no engine's feedback is shared. */
async function start(position, index) {
  const [name, build] = position.split("=");
  const url = build === undefined ? "" : pathToFileURL(`${resolve(build)}/index.js`).href;
  const query = `?${new URLSearchParams({ index, build: url })}`;
  const { candidates } = await import(`./candidates/index.mjs${query}`);
  const { source, turn } = await import(`./measure/feed.mjs${query}`);
  const { create, input } = candidates[name];
  const pipeline = await create({ batchSize: 500, deliver: async () => {} });
  return { position, pipeline, event: source(input), turn, next: 0, times: [] };
}

const lines = await Promise.all(positionals.map(start));
const rounds = Number(values.rounds);
const warmUp = Number(values["warm-up"]);
for (let round = -warmUp; round < rounds; round++) {
  for (let i = 0; i < lines.length; i++) {
    // What comes before a candidate is not the same each time.
    const line = lines[(i + Math.max(round, 0)) % lines.length];
    const start = process.hrtime.bigint();
    line.next = await line.turn(line.pipeline, line.event, line.next);
    const nanoseconds = Number(process.hrtime.bigint() - start);
    if (round >= 0) line.times.push(nanoseconds);
  }
}
const [base] = lines;
const perEvent = base.next / (rounds + warmUp);
for (const { position, times } of lines) {
  const ratios = times.map((time, round) => time / base.times[round]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(3));
  const nanoseconds = (quantile(times, 0.5) / perEvent).toFixed(0).padStart(6);
  console.log(`${nanoseconds} ns/event  ${middle} (${low} to ${high})  ${position}`);
}
process.exit(0);

// Compares candidates, or builds of the package, turn by turn within one process: every round, each
// gets some turns of the event loop with its events, so that a machine that changes its speed changes
// it for all of them. Finer than processes of their own, and of the main thread alone.
//
//     cd benches/js && node measure/turns.mjs \
//       '{"perTurn": 1, "lines": ["evlog", "shardbus-ingest", "shardbus-ingest=../../before/dist"]}'
//
// `perTurn` is the number of events in one turn of the event loop, `strings` how the strings of
// events came about: `"flat"`, or `"fresh"` for new ones in each event.

import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { median } from "../statistics.mjs";
import { job } from "./job.mjs";
import { threadClock } from "./thread-clock.mjs";

register("./turns-resolve.mjs", import.meta.url);

/** Events of a batch. */
const BATCH = 500;

const NOTHING = "nothing";

const threadMicroseconds = threadClock();

/** Events of a round, at least: whole batches, or some candidates would send more often than others. */
const ROUND = 2 * BATCH;

/**
 * A candidate by its name, of a build that is in another directory if there is a `=`; or nothing, which
 * has the cost of making the first candidate's events, and of turns.
 */
async function start(line, index, { lines, perTurn, strings }) {
  const isNothing = line === NOTHING;
  const [name, build] = (isNothing ? lines[0] : line).split("=");
  const url = build === undefined ? "" : pathToFileURL(`${resolve(build)}/index.js`).href;
  // Modules of its own, so that candidates do not share what engines learn of code.
  const query = `?${new URLSearchParams({ index, build: url })}`;
  const { candidates } = await import(`../candidates/index.mjs${query}`);
  const { source, turn } = await import(`./feed.mjs${query}`);
  const { create, input } = candidates[name];
  const context = { batchSize: BATCH, deliver: async () => {} };
  const pipeline = isNothing ? { push() {} } : await create(context);
  const event = source(input, strings);
  let next = 0;
  const run = async () => {
    const start = threadMicroseconds();
    const first = next;
    while (next < first + ROUND) next = await turn(pipeline, event, next, perTurn);
    return (threadMicroseconds() - start) / (next - first);
  };
  return { line, run, times: [] };
}

/**
 * Microseconds per event beyond those of making it, and the ratio to the first line: by the median
 * difference of rounds.
 */
await job(async ({ lines, perTurn = 1000, strings = "flat", rounds = 2000, warmUp = 500 }) => {
  const begin = (line, index) => start(line, index, { lines, perTurn, strings });
  const all = await Promise.all([NOTHING, ...lines].map(begin));
  for (let round = -warmUp; round < rounds; round++) {
    for (let i = 0; i < all.length; i++) {
      // The order changes, so that a candidate does not always follow the same one.
      const { run, times } = all[(i + Math.max(round, 0)) % all.length];
      const time = await run();
      if (round >= 0) times.push(time);
    }
  }
  const [idle, base, ...others] = all;
  const beyond = (line, other) => median(line.times.map((time, i) => time - other.times[i]));
  const cost = beyond(base, idle);
  const figures = [base, ...others].map((line) => {
    const ratio = 1 + beyond(line, base) / cost;
    return [line.line, { microseconds: beyond(line, idle), ratio }];
  });
  return Object.fromEntries(figures);
});

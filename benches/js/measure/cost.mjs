// CPU time per event of one candidate, from the event to the bytes that it delivers.

import { candidates } from "../candidates/index.mjs";
import { Census } from "../events.mjs";
import { source, turn } from "./feed.mjs";
import { cpuMicroseconds, job } from "./job.mjs";

/** Feeds a candidate whole turns of events. */
async function feed(pipeline, event, count) {
  for (let next = 0; next < count; ) next = await turn(pipeline, event, next);
  await pipeline.finish();
}

/** Bytes and batches that came out; with `verify`, an error unless each event did once. */
await job(async ({ candidate, events, batchSize = 500, warmUp = 20_000, verify = false }) => {
  const { create, input } = candidates[candidate];
  const event = source(input);
  if (!verify) await feed(await create({ batchSize, deliver: async () => {} }), event, warmUp);

  const census = new Census(verify ? events : 0);
  let [bytes, batches] = [0, 0];
  const deliver = async (body) => {
    if (verify) census.add(body);
    bytes += body.byteLength;
    batches++;
  };
  const pipeline = await create({ batchSize, deliver });
  globalThis.gc?.();
  const before = cpuMicroseconds();
  await feed(pipeline, event, events);
  const microseconds = (cpuMicroseconds() - before) / events;
  const complaint = census.complaint();
  if (complaint !== undefined) throw new Error(`${candidate}: ${complaint}`);
  return { microseconds, bytes: bytes / events, batches };
});

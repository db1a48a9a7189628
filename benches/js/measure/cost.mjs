// CPU time per event of one candidate, from the event to the bytes that it delivers.

import { candidates } from "../candidates/index.mjs";
import { Census, makeEvent } from "../events.mjs";
import { cpuMicroseconds, job, nextTurn } from "./job.mjs";

/** How many events come in one turn of the event loop. */
const TURN = 1000;
/** How many payloads there are where they are made in advance: more than caches hold. */
const PAYLOADS = 20_000;

const encoder = new TextEncoder();

/** Events in the form that a candidate takes. What is not an object is made here, at nobody's cost. */
function source(input) {
  if (input === "object") return makeEvent;
  const texts = Array.from({ length: PAYLOADS }, (_, i) => JSON.stringify(makeEvent(i)));
  const payloads = input === "bytes" ? texts.map((text) => encoder.encode(text)) : texts;
  return (i) => payloads[i % PAYLOADS];
}

async function feed({ push, finish }, event, count) {
  for (let i = 0; i < count; i++) {
    push(event(i));
    if (i % TURN === TURN - 1) await nextTurn();
  }
  await finish();
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

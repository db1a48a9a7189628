// CPU time per event while many events wait: for each batch that comes in, one goes out.

import { makeBus } from "../candidates/shardbus.mjs";
import { makeEvent } from "../events.mjs";
import { cpuMicroseconds, job, nextTurn } from "./job.mjs";

const BATCH = 500;
/** Batches that go through before it counts. */
const WARM_UP = 100;

await job(async ({ pending, events }) => {
  let release;
  const deliver = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  // The same capacity for every backlog, so that only the number of pending events differs.
  const bus = makeBus({ batchSize: BATCH, deliver }, { maxBytes: 512 << 20, capacity: 1 << 21 });
  let next = 0;
  const offer = (count) => {
    for (let i = 0; i < count; i++) bus.ingest(makeEvent(next++));
  };
  const exchange = async (batches) => {
    for (let i = 0; i < batches; i++) {
      offer(BATCH);
      release();
      await nextTurn();
    }
  };
  offer(pending);
  await nextTurn();
  await exchange(WARM_UP);
  globalThis.gc?.();
  const before = cpuMicroseconds();
  await exchange(events / BATCH);
  const microseconds = (cpuMicroseconds() - before) / events;
  const { delivered } = bus.stats();
  if (delivered < next - pending - 4 * BATCH) throw new Error(`only ${delivered} left`);
  return { microseconds };
});

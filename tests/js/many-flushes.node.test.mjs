// @ts-check
// A flush frees its memory however it ends: a service flushes for years. Node only, as it measures
// the heap; all but the first Node run fewer flushes.
import { run } from "./child.node.mjs";
import { assert, partOf, test } from "./harness.mjs";

const FLUSHES = partOf(100_000, 20_000);
/** Of one program: it computes all the time, which others may do too. */
const LIMIT_MS = 240_000;

/** Half of the flushes settle, and the others wait for a callback that never does. */
const program = (/** @type {string} */ scheduler) => `
  import { EventBus } from "shardbus";
  import { watchMemory } from "./memory.mjs";
  const memoryBytes = watchMemory();
  const options = { scheduler: "${scheduler}", timeoutMs: 3_600_000, onDrop: () => {} };
  const working = new EventBus(() => {}, options);
  const stuck = new EventBus(() => new Promise(() => {}), options);
  stuck.ingest("stuck");

  async function aborted() {
    const controller = new AbortController();
    const flushed = stuck.flush({ signal: controller.signal });
    controller.abort();
    await flushed.catch(() => {});
  }

  const round = async () => {
    const waiting = [];
    for (let i = 0; i < 100; i++) {
      waiting.push(stuck.flush({ timeoutMs: 0 }), aborted());
      await working.flush();
      working.ingest(i);
      await working.flush();
    }
    await Promise.all(waiting);
    return 400;
  };
  const used = () => {
    gc();
    return { memory: memoryBytes(), heap: process.memoryUsage().heapUsed };
  };

  let flushes = 0;
  while (flushes < ${FLUSHES / 50}) flushes += await round();
  const before = used();
  // The loop ends at the first growth, because leftovers make every further flush slower.
  while (flushes < ${FLUSHES} && memoryBytes() === before.memory) flushes += await round();
  const after = used();
  console.log(JSON.stringify({ memory: after.memory - before.memory, heap: after.heap - before.heap }));
  await stuck.close({ timeoutMs: 0 });
`;

for (const scheduler of ["auto", "manual"]) {
  test(`${FLUSHES} flushes leave nothing in memory (${scheduler})`, async () => {
    const grown = JSON.parse(await run(program(scheduler), ["--expose-gc"], LIMIT_MS));
    assert.equal(grown.memory, 0, "the core's");
    assert.isBelow(grown.heap, 1 << 20, "the heap's");
  });
}

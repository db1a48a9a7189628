// @ts-check
import { readFile } from "node:fs/promises";
import { accountedStats, assert, test } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

const REQUESTS = 10_000;
/** The options of the Worker beside this file. */
const MAX_BYTES = 1 << 20;
/** The bound of docs/sizing.md: more than `maxBytes` the WebAssembly never takes. */
const CONSTANT = 4 << 20;

/** The handling of a request's five events of 800 bytes. @param {number} i */
function path(i) {
  // More cut-offs than the bus can send between: it runs full. Then none, and it must recover.
  if (i < REQUESTS / 2 && i % 50 === 7) return "/return-at-once";
  if (i % 20 === 0) return "/ingest";
  return i % 50 === 9 ? "/flush" : "/wait-until";
}

test(`memory stays within maxBytes plus a constant over ${REQUESTS} requests`, async (t) => {
  const source = await readFile(new URL("worker.mjs", import.meta.url), "utf8");
  const collector = await startCollector();
  const worker = await startWorker(source, collector.port);
  const get = async (/** @type {string} */ path) => {
    const response = await fetch(`${worker.url}${path}`);
    assert.equal(response.status, 200, path);
    return response.json();
  };
  try {
    let next = 0;
    const client = async () => {
      for (let i = next++; i < REQUESTS; i = next++) {
        await get(`${path(i)}?tag=${i}_&n=5&padding=800`);
        if (i % 100 !== 0) continue;
        const { memory, bytes } = await get("/stats");
        assert.isAtMost(bytes.held, MAX_BYTES);
        assert.isAtMost(memory, MAX_BYTES + CONSTANT);
      }
    };
    await Promise.all(Array.from({ length: 16 }, client));

    await get("/flush");
    const stats = await get("/stats");
    accountedStats({ stats: () => stats });
    const { accepted, delivered, evicted, abandoned, pending, inFlight, batches, memory } = stats;
    assert.equal(accepted, REQUESTS * 5 + 1);
    assert.equal(delivered + evicted + abandoned.retries, accepted);
    assert.deepEqual([pending, inFlight], [0, 0]);
    assert.isAtLeast(batches.expired, 1, "some were cut off");
    assert.isAtLeast(delivered, accepted * 0.4, "it recovers");
    const arrived = new Set(collector.events());
    assert.isAtLeast(arrived.size, delivered, "what counts as delivered has arrived");
    t.diagnostic(JSON.stringify({ memory, delivered, evicted, abandoned, batches }));
  } finally {
    await worker.stop();
    await collector.stop();
  }
});

// @ts-check
// Processes that other libraries kept alive, by the reports that a test's name ends with. Node only.
import { createServer } from "node:http";
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

/** Obstacles to the delivery of a batch: the body of a callback. @type {Record<string, string>} */
const obstacles = {
  "a request that is never answered":
    "await fetch(url, { method: 'POST', body: batch.body, signal });",
  "a callback that never settles": "await new Promise(() => {});",
  "a batch that waits for its retry":
    "throw new DeliveryError('busy', { retryAfterMs: 3_600_000 });",
};

for (const [what, body] of Object.entries(obstacles)) {
  test(`a process ends after close(): ${what} (opentelemetry-js#523, pensarai/apex#1009)`, async () => {
    const server = createServer(() => {});
    await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(null)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
    try {
      const output = await run(`
        import { DeliveryError, EventBus } from "shardbus";
        const url = "http://127.0.0.1:${port}";
        let begun;
        const beginning = new Promise((resolve) => { begun = resolve; });
        const bus = new EventBus(async (batch, { signal }) => {
          setTimeout(begun, 50);
          ${body}
        }, { batch: { minSize: 1 }, timeoutMs: 3_600_000, onDrop: () => {} });
        bus.ingest(1);
        await beginning;
        const { abandoned, pending } = await bus.close({ timeoutMs: 100 });
        console.log(abandoned, pending);
      `);
      assert.equal(output, "1 0\n");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

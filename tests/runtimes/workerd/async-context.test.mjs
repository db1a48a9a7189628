// @ts-check
// Whose `AsyncLocalStorage` a callback sees in a Worker that has it.
import { assert, test } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

const source = `
  import { AsyncLocalStorage } from "node:async_hooks";
  import { EventBus } from "shardbus";

  const tenant = new AsyncLocalStorage();
  const seen = [];
  const bus = new EventBus(async ({ body }) => {
    seen.push(String(tenant.getStore()));
    await fetch("http://collector", { method: "POST", body });
    seen.push(String(tenant.getStore()));
  });

  export default {
    async fetch(request) {
      await tenant.run("a", async () => {
        bus.ingest(1);
        await bus.flush();
        seen.push(tenant.getStore());
      });
      return Response.json(seen);
    },
  };
`;

test("a bus at a Worker's global scope sees no request's, and a request keeps its own", async () => {
  const collector = await startCollector();
  const worker = await startWorker(source, collector.port, ["nodejs_compat"]);
  try {
    const seen = await (await fetch(worker.url)).json();
    assert.deepEqual(seen, ["undefined", "undefined", "a"]);
  } finally {
    await worker.stop();
    await collector.stop();
  }
});

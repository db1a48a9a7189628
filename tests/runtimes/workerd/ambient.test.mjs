// @ts-check
// Buses that find out for themselves which request of a Worker runs.
import { assert, eventually, test } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

/** @param {string} options of the bus @param {string} afterwards the rest of each request's code */
const source = (options, afterwards) => `
  import { EventBus } from "shardbus";
  import { httpSink } from "shardbus/sinks/http";

  const bus = new EventBus(httpSink("http://collector/"), ${options});
  bus.ingest("at global scope");

  export default {
    async fetch(request) {
      bus.ingest(new URL(request.url).pathname);
      ${afterwards}
      return new Response();
    },
  };
`;

for (const [how, options, afterwards] of /** @type {const} */ ([
  ["with the option `waitUntil`", "{ waitUntil: true }", ""],
  ["by `waitUntil()` without a context", "{}", "bus.waitUntil();"],
])) {
  test(`each request sends its events ${how}, and those of the global scope`, async () => {
    const collector = await startCollector();
    const worker = await startWorker(source(options, afterwards), collector.port, [
      "nodejs_compat",
    ]);
    try {
      for (const path of ["/a", "/b"]) {
        await fetch(`${worker.url}${path}`);
        const isThere = async () => collector.events().includes(path);
        await eventually(isThere, () => `${path} does not arrive: ${collector.events()}`);
      }
      assert.deepEqual(collector.events(), ["at global scope", "/a", "/b"]);
    } finally {
      await worker.stop();
      await collector.stop();
    }
  });
}

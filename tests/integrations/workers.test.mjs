// @ts-check
// Loggers and Hono in a Worker: every event is sent within its request, and no handler says so.
import { fileURLToPath } from "node:url";
import { assert, eventually, test } from "../js/harness.mjs";
import { startCollector } from "../runtimes/collector.mjs";
import { startWorker } from "../runtimes/workerd/workerd.mjs";

const resolveDir = fileURLToPath(new URL(".", import.meta.url));

/** Each answers a request after it has logged. */
const workers = {
  hono: `
    import { Hono } from "hono";
    import { EventBus } from "shardbus";
    import { requestEvents } from "shardbus/hono";
    import { httpSink } from "shardbus/sinks/http";

    const bus = new EventBus(httpSink("http://collector/"));
    const app = new Hono();
    app.use(requestEvents(bus, { serverTiming: true }));
    app.get("/:n", (c) => c.text("hello"));
    export default app;
  `,
  logtape: `
    import { configureSync, getLogger } from "@logtape/logtape";
    import { EventBus } from "shardbus";
    import { logtapeSink } from "shardbus/logtape";
    import { httpSink } from "shardbus/sinks/http";

    const bus = new EventBus(httpSink("http://collector/"), { waitUntil: true });
    configureSync({
      sinks: { bus: logtapeSink(bus) },
      loggers: [
        { category: "app", sinks: ["bus"] },
        { category: ["logtape", "meta"], lowestLevel: "error" },
      ],
    });
    export default {
      async fetch(request) {
        getLogger("app").info("A request", { path: new URL(request.url).pathname });
        return new Response();
      },
    };
  `,
  evlog: `
    import { initWorkersLogger, withEvlog } from "evlog/workers";
    import { EventBus } from "shardbus";
    import { evlogDrain } from "shardbus/evlog";
    import { httpSink } from "shardbus/sinks/http";

    const bus = new EventBus(httpSink("http://collector/"), { waitUntil: true });
    initWorkersLogger({ env: { service: "shop" }, silent: true, drain: evlogDrain(bus) });
    export default withEvlog(async () => new Response());
  `,
  pino: `
    import { pino } from "pino";
    import { EventBus } from "shardbus";
    import { httpSink } from "shardbus/sinks/http";

    const bus = new EventBus(httpSink("http://collector/"), { waitUntil: true });
    // In Workers pino has its form for browsers, which gives objects away.
    const logger = pino({ browser: { write: (line) => bus.emit(line) } });
    export default {
      async fetch(request) {
        logger.info({ path: new URL(request.url).pathname }, "a request");
        return new Response();
      },
    };
  `,
};

for (const [library, source] of Object.entries(workers)) {
  test(`${library}: every event arrives through an outage`, async () => {
    const before = await startCollector();
    const worker = await startWorker(source, before.port, ["nodejs_compat"], resolveDir);
    const paths = ["/0", "/1", "/2", "/3"];
    const visit = async (/** @type {string} */ path) =>
      (await fetch(`${worker.url}${path}`)).text();
    try {
      await visit("/0");
      await before.nthEvent(1);
      await before.stop();
      await visit("/1");
      await visit("/2");
      const afterwards = await startCollector(before.port);
      try {
        await visit("/3");
        const found = () => {
          const events = [...before.events(), ...afterwards.events()];
          return [...new Set(events.map(({ path, properties }) => path ?? properties.path))];
        };
        await eventually(
          () => found().length === paths.length,
          () => `only ${found()} arrived`,
        );
        assert.deepEqual(found(), paths);
      } finally {
        await afterwards.stop();
      }
    } finally {
      await worker.stop();
    }
  });
}

// @ts-check
import { once } from "node:events";
import { createServer } from "node:http";
import { json, text } from "node:stream/consumers";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider } from "@opentelemetry/sdk-logs";
import { pino } from "pino";
import { EventBus } from "shardbus";
import { BatchLogRecordProcessor } from "shardbus/opentelemetry";
import { pinoDestination } from "shardbus/pino";
import { accountedStats, afterEach, assert, beforeEach, test } from "../js/harness.mjs";

/** @type {import("node:http").Server} */
let server;
/** @type {string} */
let url;
/** The collected requests, parsed. @type {any[]} */
let bodies;
/** The number of requests that it refuses first. */
let refusals = 0;

beforeEach(async () => {
  bodies = [];
  server = createServer(async (request, response) => {
    const isJson = request.headers["content-type"] === "application/json";
    const body = await (isJson ? json(request) : text(request));
    if (refusals-- > 0) return response.writeHead(503).end();
    bodies.push(body);
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  url = `http://127.0.0.1:${port}/v1/logs`;
});

afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

const quiet = { retry: { baseDelayMs: 1, maxDelayMs: 10 }, onDrop: () => {} };

test("pino's lines arrive one by one, and a line that is too large fails no program", async () => {
  const bus = new EventBus(async ({ body }) => {
    await fetch(url, { method: "POST", body });
  }, quiet);
  const logger = pino({}, pinoDestination(bus));
  for (let n = 0; n < 1000; n++) logger.info({ n }, "two\nlines");
  logger.info("x".repeat(300_000));
  await new Promise((done) => logger.flush(done));

  const lines = bodies.flatMap((body) =>
    body.split("\n").map((/** @type {any} */ line) => JSON.parse(line)),
  );
  assert.deepEqual(
    lines.map(({ n }) => n),
    Array.from({ length: 1000 }, (_, n) => n),
  );
  assert.deepInclude(lines[0], { level: 30, msg: "two\nlines" });
  const { delivered, rejected } = accountedStats(bus);
  assert.deepEqual([delivered, rejected.oversize], [1000, 1]);
  await bus.close();
});

test("more records than OpenTelemetry would hold arrive, after an outage, by OTLP", async () => {
  refusals = 3;
  const processor = new BatchLogRecordProcessor({ url, protocol: "http/json", bus: quiet });
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ "service.name": "shop" }),
    processors: [processor],
  });
  const scopes = ["checkout", "search"];
  const loggers = scopes.map((scope) => provider.getLogger(scope));
  for (let n = 0; n < 5000; n++) loggers[n % 2].emit({ body: `record ${n}`, attributes: { n } });
  loggers[0].emit({ body: "x".repeat(300_000) });
  await provider.forceFlush();
  const { delivered, rejected } = accountedStats(processor.bus);
  assert.deepEqual([delivered, rejected.oversize], [5000, 1]);
  await provider.shutdown();

  const resourceLogs = bodies.flatMap((body) => body.resourceLogs);
  for (const { resource } of resourceLogs) {
    assert.deepEqual(resource.attributes, [
      { key: "service.name", value: { stringValue: "shop" } },
    ]);
  }
  const scopeLogs = resourceLogs.flatMap((resource) => resource.scopeLogs);
  for (const [first, name] of scopes.entries()) {
    const records = scopeLogs
      .filter(({ scope }) => scope.name === name)
      .flatMap(({ logRecords }) => logRecords);
    assert.deepEqual(
      records.map(({ body, attributes: [n] }) => [body.stringValue, Number(n.value.intValue)]),
      Array.from({ length: 2500 }, (_, i) => [`record ${2 * i + first}`, 2 * i + first]),
    );
  }
});

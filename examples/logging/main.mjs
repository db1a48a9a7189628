// @ts-check

// Logs through pino and through OpenTelemetry, to a collector that prints its requests.
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { SeverityNumber } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider } from "@opentelemetry/sdk-logs";
import { pino } from "pino";
import { EventBus } from "shardbus";
import { BatchLogRecordProcessor } from "shardbus/opentelemetry";
import { pinoDestination } from "shardbus/pino";
import { httpSink } from "shardbus/sinks/http";

const collector = createServer(async (request, response) => {
  console.log(`\n${request.url} got\n${await text(request)}`);
  response.end();
});
collector.listen(0, "127.0.0.1");
await once(collector, "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (collector.address());
const url = `http://127.0.0.1:${port}`;

const lines = new EventBus(httpSink(`${url}/pino`));
const logger = pino({}, pinoDestination(lines));
logger.info({ user: "ada" }, "signed in");
logger.warn("the disk is nearly full");
await lines.close();

const records = new BatchLogRecordProcessor({ url: `${url}/v1/logs`, protocol: "http/json" });
const provider = new LoggerProvider({
  resource: resourceFromAttributes({ "service.name": "shop" }),
  processors: [records],
});
const otel = provider.getLogger("checkout");
otel.emit({ severityNumber: SeverityNumber.INFO, body: "paid", attributes: { user: "ada" } });
await provider.shutdown();

collector.close();

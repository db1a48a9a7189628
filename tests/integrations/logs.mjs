// @ts-check
// Logs through every library that the runtime has: `node logs.mjs URL`. Each names itself.
import process from "node:process";
import { configure, getLogger } from "@logtape/logtape";
import { createLogger, initLogger } from "evlog";
import { Hono } from "hono";
import { pino } from "pino";
import { EventBus } from "shardbus";
import { evlogDrain } from "shardbus/evlog";
import { requestEvents } from "shardbus/hono";
import { logtapeSink } from "shardbus/logtape";
import { pinoDestination } from "shardbus/pino";
import { httpSink } from "shardbus/sinks/http";
import { winstonTransport } from "shardbus/winston";
import winston from "winston";
import Transport from "winston-transport";

const bus = new EventBus(httpSink(String(process.argv[2])));

await configure({
  sinks: { bus: logtapeSink(bus) },
  loggers: [{ category: "app", sinks: ["bus"] }],
});
getLogger("app").info("logtape");

initLogger({ silent: true, drain: evlogDrain(bus) });
createLogger({ message: "evlog" }).emit();

const app = new Hono();
app.use(requestEvents(bus, { fields: () => ({ message: "hono" }) }));
await app.request("/");

pino({ messageKey: "message" }, pinoDestination(bus)).info("pino");

winston.createLogger({ transports: [winstonTransport(Transport, bus)] }).info("winston");

await bus.close();

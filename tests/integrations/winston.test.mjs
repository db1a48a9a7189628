// @ts-check
import { EventBus } from "shardbus";
import { winstonTransport } from "shardbus/winston";
import winston from "winston";
import Transport from "winston-transport";
import { assert, test } from "../js/harness.mjs";
import { eventsThroughOutage, numbers } from "./outage.mjs";

test("every entry arrives through an outage, and in order", async () => {
  const found = await eventsThroughOutage((bus) => {
    const logger = winston.createLogger({
      transports: [winstonTransport(Transport, bus)],
    });
    return (n) => logger.info("counted", { n });
  });
  assert.deepEqual(
    found.map(({ n }) => n),
    numbers,
  );
  assert.deepEqual(found[0], { level: "info", message: "counted", n: 0 });
});

test("an entry has the values of its call, although they change in the same turn", async () => {
  /** @type {any[]} */
  const events = [];
  const bus = new EventBus((batch) => void events.push(...batch.events()));
  const logger = winston.createLogger({ transports: [winstonTransport(Transport, bus)] });
  const user = { n: 1 };
  logger.info("first", { user });
  user.n = 2;
  await bus.close();
  assert.deepEqual(events[0].user, { n: 1 });
});

test("level, format and silent are those of every transport", async () => {
  /** @type {any[]} */
  const events = [];
  const bus = new EventBus((batch) => void events.push(...batch.events()));
  const logger = winston.createLogger({
    transports: [
      winstonTransport(Transport, bus, {
        level: "warn",
        format: winston.format.label({ label: "shop" }),
      }),
      winstonTransport(Transport, bus, { silent: true }),
    ],
  });
  logger.info("left out");
  logger.warn("taken");
  await bus.close();
  assert.deepEqual(events, [{ level: "warn", message: "taken", label: "shop" }]);
});

test("an entry that JSON cannot hold is counted, and harms neither the program nor the next", async () => {
  /** @type {any[]} */
  const events = [];
  /** @type {string[]} */
  const lost = [];
  const bus = new EventBus((batch) => void events.push(...batch.events()), {
    onDrop: ({ reason }) => void lost.push(reason),
  });
  const logger = winston.createLogger({ transports: [winstonTransport(Transport, bus)] });
  logger.info("large", { n: 1n });
  logger.info("small", { n: 1 });
  await bus.close();
  assert.deepEqual(
    events.map(({ message }) => message),
    ["small"],
  );
  assert.deepEqual(lost, ["invalid"]);
});

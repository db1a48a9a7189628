// @ts-check
import { configure, getLogger, jsonLinesFormatter, reset } from "@logtape/logtape";
import { EventBus } from "shardbus";
import { logtapeSink } from "shardbus/logtape";
import { afterEach, assert, test } from "../js/harness.mjs";
import { eventsThroughOutage, numbers } from "./outage.mjs";

afterEach(reset);

/** @param {import("@logtape/logtape").Sink} sink */
async function loggerTo(sink) {
  await configure({
    reset: true,
    sinks: { bus: sink },
    loggers: [
      { category: "app", sinks: ["bus"] },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  return getLogger(["app", "http"]);
}

test("every record arrives through an outage, and in order", async () => {
  const found = await eventsThroughOutage(async (bus) => {
    const logger = await loggerTo(logtapeSink(bus));
    return (n) => logger.info("Counted {n}.", { n });
  });
  assert.deepEqual(
    found.map(({ properties }) => properties.n),
    numbers,
  );
  assert.deepInclude(found[7], {
    level: "info",
    category: ["app", "http"],
    message: "Counted 7.",
  });
  assert.approximately(found[7].timestamp, Date.now(), 600_000);
});

/** @param {(logger: import("@logtape/logtape").Logger) => void} log @param {(record: any) => string} [formatter] */
async function eventsOf(log, formatter) {
  /** @type {any[]} */
  const events = [];
  const bus = new EventBus((batch) => void events.push(...batch.events()));
  log(await loggerTo(logtapeSink(bus, formatter)));
  await bus.close();
  return events;
}

test("a record has the values of its call, although they change in the same turn", async () => {
  const [event] = await eventsOf((logger) => {
    const user = { n: 1 };
    logger.info("first", { user });
    user.n = 2;
  });
  assert.deepEqual(event.properties.user, { n: 1 });
});

test("values in a message are texts, and stay values in the properties", async () => {
  const [event] = await eventsOf((logger) => {
    logger.warn("{user} got {answer}: {error}", {
      user: { id: 7 },
      answer: null,
      error: new Error("no"),
    });
  });
  assert.equal(event.message, '{"id":7} got null: Error: no');
  assert.deepEqual(event.properties.user, { id: 7 });
  assert.equal(event.properties.error.message, "no");
});

test("a formatter of LogTape's own makes the event", async () => {
  const [event] = await eventsOf((logger) => logger.info("hello"), jsonLinesFormatter);
  assert.deepInclude(event, { level: "INFO", message: "hello", logger: "app.http" });
});

test("a line that is too large is counted, and is no failure of the sink", async () => {
  /** @type {string[]} */
  const lost = [];
  const onDrop = (/** @type {any} */ { reason }) => void lost.push(reason);
  const bus = new EventBus(() => {}, { maxEventBytes: 200, onDrop });
  const sink = logtapeSink(bus, jsonLinesFormatter);
  /** @type {unknown[]} */
  const failures = [];
  const watched = (/** @type {import("@logtape/logtape").LogRecord} */ record) => {
    try {
      sink(record);
    } catch (error) {
      failures.push(error);
    }
  };
  (await loggerTo(watched)).info("x".repeat(300));
  await bus.close();
  assert.deepEqual(lost, ["oversize"]);
  assert.deepEqual(failures, []);
});

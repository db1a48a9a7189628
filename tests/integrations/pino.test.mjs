// @ts-check
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pino } from "pino";
import { EventBus } from "shardbus";
import { pinoDestination, pinoTransport } from "shardbus/pino";
import { program } from "../documents.mjs";
import { assert, eventually, test, within } from "../js/harness.mjs";
import { startCollector as startInProcess } from "../runtimes/collector.mjs";
import { startCollector } from "../sinks/servers.mjs";
import { eventsThroughOutage, numbers } from "./outage.mjs";

test("every line arrives through an outage, and in order", async () => {
  const found = await eventsThroughOutage((bus) => {
    const logger = pino({}, pinoDestination(bus));
    return (n) => logger.info({ n }, "counted");
  });
  assert.deepEqual(
    found.map(({ n }) => n),
    numbers,
  );
  assert.deepInclude(found[0], { level: 30, msg: "counted" });
});

test("a line goes into its batch byte by byte", async () => {
  /** @type {string[]} */
  const lines = [];
  /** @type {string[]} */
  const written = [];
  const bus = new EventBus((batch) => void lines.push(...batch));
  const destination = pinoDestination(bus);
  const logger = pino(
    {},
    {
      write(line) {
        written.push(line);
        destination.write(line);
      },
    },
  );
  logger.warn({ text: "a\nb é 😀" }, "odd");
  await bus.close();
  assert.deepEqual(
    lines.map((line) => `${line}\n`),
    written,
  );
});

test("`logger.flush` waits until all lines are delivered", async () => {
  let delivered = 0;
  const bus = new EventBus(async ({ count }) => {
    await new Promise((resolve) => setImmediate(resolve));
    delivered += count;
  });
  const logger = pino({}, pinoDestination(bus));
  logger.info("first");
  logger.info("second");
  await promisify(logger.flush.bind(logger))();
  assert.equal(delivered, 2);
  await bus.close();
});

test("a line that is too large is counted, and harms neither the program nor the next line", async () => {
  /** @type {any[]} */
  const events = [];
  /** @type {string[]} */
  const lost = [];
  const bus = new EventBus((batch) => void events.push(...batch.events()), {
    maxEventBytes: 200,
    onDrop: ({ reason }) => void lost.push(reason),
  });
  const logger = pino({}, pinoDestination(bus));
  logger.info("x".repeat(300));
  logger.info("short");
  await bus.close();
  assert.deepEqual(
    events.map(({ msg }) => msg),
    ["short"],
  );
  assert.deepEqual(lost, ["oversize"]);
});

test("a bus that takes nothing any more is told of once, and harms no logger", (context) => {
  const print = context.mock.method(console, "error", () => {});
  const error = new Error("the module is gone");
  const bus = /** @type {any} */ ({
    ingestRaw() {
      throw error;
    },
  });
  const logger = pino({}, pinoDestination(bus));
  logger.info("first");
  logger.info("second");
  assert.lengthOf(print.mock.calls, 1);
  assert.equal(print.mock.calls[0]?.arguments[1], error);
});

test("a transport's thread sends every line through an outage, and ends with all of them", async () => {
  const collector = await startCollector();
  try {
    const transport = pino.transport({
      target: fileURLToPath(new URL("pino-worker.mjs", import.meta.url)),
      options: { url: `http://127.0.0.1:${collector.port}/` },
    });
    const logger = pino({}, transport);
    const [beforehand, meanwhile] = [numbers.slice(0, 50), numbers.slice(50)];
    for (const n of beforehand) logger.info({ n, text: "é".repeat(500) });
    await eventually(
      async () => (await linesOf(collector)).length >= beforehand.length,
      () => "no line arrives",
    );
    await collector.kill();
    for (const n of meanwhile) logger.info({ n });
    await collector.start();
    const closed = once(transport, "close");
    transport.end();
    await within(closed, () => "the thread does not end");
    const found = (await linesOf(collector)).map(({ n }) => n);
    assert.deepEqual([...new Set(found)], numbers);
  } finally {
    await collector.stop();
  }
});

/** The lines that a collector has in its file. @param {{ directory: string }} collector */
async function linesOf({ directory }) {
  const requests = (await readFile(join(directory, "batches.ndjson"), "utf8")).trim().split("\n");
  // A line may be cut off where the collector was killed.
  const whole = requests.filter((request) => request.endsWith("}"));
  const bodies = whole.map((request) => JSON.parse(request).body);
  return bodies.flatMap((body) => body.split("\n").map(JSON.parse));
}

test("a transport ends before pino gives its thread up, after ten seconds", async () => {
  /** @type {any[]} */
  const limits = [];
  const ingestRaw = () => true;
  const flush = () => Promise.reject(new Error("there is nothing to flush"));
  const close = async (/** @type {any} */ { timeoutMs }) => limits.push(timeoutMs);
  for (const options of [{}, { timeoutMs: 100 }]) {
    const bus = /** @type {any} */ ({ ingestRaw, flush, close });
    const stream = pinoTransport(bus, options);
    const closed = once(/** @type {any} */ (stream), "close");
    stream.end();
    await within(closed, () => "the stream does not close");
  }
  assert.isBelow(limits[0], 10_000);
  assert.equal(limits[1], 100);
});

test("lines that come to a transport in pieces are whole again", async () => {
  /** @type {any[]} */
  const events = [];
  const expected = [{ n: 0 }, { n: 1, t: "é😀" }, { n: 2 }];
  const text = expected.map((event) => JSON.stringify(event)).join("\n");
  const bytes = [...Buffer.from(text)].map((byte) => Buffer.of(byte));
  for (const pieces of [text, bytes]) {
    events.length = 0;
    const stream = pinoTransport(new EventBus((batch) => void events.push(...batch.events())));
    for (const piece of pieces) stream.write(/** @type {string} */ (piece));
    const closed = once(/** @type {any} */ (stream), "close");
    stream.end();
    await within(closed, () => "the stream does not close");
    assert.deepEqual(events, expected);
  }
});

test("the program of docs/integrations/loggers.md delivers its line", async () => {
  const collector = await startInProcess();
  try {
    const example = await program("docs/integrations/loggers.md", "pinoDestination");
    const address = `http://127.0.0.1:${collector.port}`;
    const source = example.replace("https://collector.example", address);
    const args = ["--input-type=module", "--eval", source];
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    await promisify(execFile)(process.execPath, args, { cwd, timeout: 60_000 });
    const [line] = collector.events();
    assert.deepInclude(line, { user: "ada", msg: "signed in" });
  } finally {
    await collector.stop();
  }
});

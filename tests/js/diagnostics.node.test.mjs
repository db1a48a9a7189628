// @ts-check
// The messages of a bus on `node:diagnostics_channel`, without a word in the program that uses it.
import { channel, tracingChannel } from "node:diagnostics_channel";
import { EventBus } from "shardbus";
import {
  afterEach,
  assert,
  fail,
  HOUR_MS,
  quickRetry,
  recorder,
  succeed,
  test,
} from "./harness.mjs";

const drops = channel("shardbus:drop");
const attempts = tracingChannel("shardbus:attempt");
/** @type {(() => void)[]} */
const cleanUps = [];
afterEach(() => cleanUps.splice(0).forEach((cleanUp) => void cleanUp()));

/** All losses that are published from now on. */
function collectDrops() {
  /** @type {any[]} */
  const messages = [];
  const listen = (/** @type {unknown} */ message) => void messages.push(message);
  drops.subscribe(listen);
  cleanUps.push(() => drops.unsubscribe(listen));
  return messages;
}

/** Collects the results of all attempts that begin from now on: `[what, message]`. */
function collectAttempts() {
  /** @type {[string, any][]} */
  const events = [];
  const on = (/** @type {string} */ what) => (/** @type {any} */ message) => {
    events.push([what, message]);
  };
  const subscribers = {
    start: on("start"),
    end: () => {},
    asyncStart: () => {},
    asyncEnd: on("end"),
    error: on("error"),
  };
  attempts.subscribe(subscribers);
  cleanUps.push(() => attempts.unsubscribe(subscribers));
  return events;
}

for (const [handler, onDrop] of /** @type {const} */ ([
  ["a handler", () => {}],
  ["no handler", undefined],
])) {
  test(`losses are published, with ${handler}`, async () => {
    const messages = collectDrops();
    const warn = console.warn;
    console.warn = () => {};
    cleanUps.push(() => {
      console.warn = warn;
    });
    const error = new Error("down");
    const bus = new EventBus(recorder([fail(error)]).callback, {
      backpressure: "drop-newest",
      capacity: 4,
      batch: { maxDelayMs: HOUR_MS },
      retry: false,
      ...(onDrop && { onDrop }),
    });
    for (let i = 0; i < 5; i++) bus.ingest({ i });
    await bus.flush();
    await bus.close();

    const told = messages.map(({ reason, count }) => `${count} ${reason}`);
    assert.sameMembers(told, ["2 full", "3 retries"]);
    for (const message of messages) assert.equal(message.bus, bus);
    const given = messages.find(({ reason }) => reason === "retries");
    assert.deepEqual(given.batch.events(), [{ i: 0 }, { i: 1 }, { i: 2 }]);
    assert.include(given, { error, attempts: 1 });
  });
}

test("every attempt is traced, whatever becomes of it", async () => {
  const events = collectAttempts();
  const error = new Error("busy");
  const bus = new EventBus(recorder([fail(error), succeed]).callback, { retry: quickRetry });
  bus.ingest({ a: 1 });
  const report = await bus.close();
  assert.equal(report.delivered, 1);

  const [first, failure, firstEnd, second, secondEnd] = events;
  assert.deepEqual(
    events.map(([what, { attempt }]) => `${attempt} ${what}`),
    ["1 start", "1 error", "1 end", "2 start", "2 end"],
  );
  assert.equal(failure?.[1].error, error);
  assert.equal(first?.[1], firstEnd?.[1]);
  assert.equal(second?.[1], secondEnd?.[1]);
  assert.equal(first?.[1].bus, bus);
  assert.equal(first?.[1].batch.id, second?.[1].batch.id);
});

test("a callback that throws at once and one that returns no promise are traced as well", async () => {
  const events = collectAttempts();
  let calls = 0;
  const bus = new EventBus(
    () => {
      if (++calls === 1) throw new Error("at once");
    },
    { retry: quickRetry },
  );
  bus.ingest({ a: 1 });
  await bus.close();
  const kinds = events.map(([what]) => what);
  assert.deepEqual(kinds, ["start", "error", "end", "start", "end"]);
});

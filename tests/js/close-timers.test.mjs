// @ts-check
// A bus that is closed has no timer left, whatever it was in the middle of, and sets none.
import { DeliveryError, EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  afterEach,
  assert,
  beforeEach,
  fail,
  HOUR_MS,
  hang,
  idle,
  recorder,
  test,
  within,
} from "./harness.mjs";

/** @type {Clock} */
let clock;
beforeEach(() => {
  clock = new Clock();
});
afterEach(() => clock.restore());

/** @typedef {ReturnType<typeof recorder>} Sink */

/**
 * Situations in which a bus is closed.
 *
 * @type {Record<string, { script?: import("./harness.mjs").Step[], begin: (bus: EventBus<any>, sink: Sink) => unknown }>}
 */
const situations = {
  "its events wait for their time": { begin: (bus) => bus.ingest(1) },
  "an attempt runs": {
    script: [hang],
    begin: (bus, sink) => {
      bus.ingest(1);
      void bus.flush();
      return sink.calls(1);
    },
  },
  "a retry waits": {
    script: [fail(new DeliveryError("busy", { retryAfterMs: HOUR_MS }))],
    begin: (bus, sink) => {
      bus.ingest(1);
      void bus.flush();
      return sink.calls(1).then(idle);
    },
  },
  "a flush has an hour left": {
    script: [hang],
    begin: (bus, sink) => {
      bus.ingest(1);
      void bus.flush({ timeoutMs: HOUR_MS });
      return sink.calls(1);
    },
  },
  "somebody waits for room": {
    script: [hang],
    begin: (bus) => {
      bus.ingest("x".repeat(90));
      void bus.ready().catch(() => {});
    },
  },
  "a loss is held back": {
    begin: async (bus) => {
      for (let turn = 0; turn < 3; turn++) {
        bus.ingestBatch([undefined]);
        await idle();
      }
    },
  },
  "a request waits for its events": {
    begin: (bus) => {
      bus.ingest(1);
      bus.waitUntil({ waitUntil: () => {} });
    },
  },
};

/** With the scheduler "manual", requests look whether the bus is closed, and at a request's rides. */
const LOOK_MS = 50;

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  for (const [what, { script, begin }] of Object.entries(situations)) {
    test(`a bus that is closed while ${what} has no timer left (${scheduler})`, async () => {
      const sink = recorder(script);
      const bus = new EventBus(sink.callback, {
        scheduler,
        maxBytes: 100,
        timeoutMs: HOUR_MS,
        batch: { maxDelayMs: HOUR_MS },
        onDrop: () => {},
      });
      await begin(bus, sink);
      await idle();
      const closed = bus.close({ timeoutMs: 100 });
      await clock.advance(100);
      await within(closed, () => "the bus does not close");
      const looks = scheduler === "manual" || what.includes("request");
      if (looks) await clock.advance(LOOK_MS);
      assert.isEmpty(clock.timers);

      const set = clock.delays.length;
      sink.log[0]?.release();
      bus.ingestBatch([1, undefined]);
      bus.stats();
      bus.drain();
      await Promise.all([bus.flush(), bus.settled(), bus.close()]);
      await idle();
      assert.lengthOf(clock.delays, set, "it sets none");
    });
  }
}

test("a bus that closes early does not wait for its time to be up", async () => {
  for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
    const bus = new EventBus(() => {}, { scheduler });
    bus.ingest(1);
    await bus.close({ timeoutMs: HOUR_MS });
    assert.isEmpty(clock.timers, scheduler);
  }
});

// @ts-check
// Timers know no delay of more than 2^31 - 1 ms, some 25 days: they take a longer one for none at
// all. An action that a bus puts off for longer must neither come too early nor keep the host busy
// till then.
import { DeliveryError, EventBus } from "shardbus";
import { customStore } from "shardbus/stores/custom";
import { Clock } from "./clock.mjs";
import { afterEach, assert, beforeEach, fail, hang, idle, recorder, test } from "./harness.mjs";

const MAX_DELAY_MS = 2 ** 31 - 1;
const DAY_MS = 86_400_000;
const MONTHS_MS = 60 * DAY_MS;

/** @type {Clock} */
let clock;
beforeEach(() => {
  clock = new Clock();
});
afterEach(() => clock.restore());

/** Waits for the months in which the callback is not to be called, and then for the call. @param {ReturnType<typeof recorder>} sink */
async function assertPutOff(sink) {
  const calls = sink.log.length;
  const timers = clock.delays.length;
  await clock.advance(MONTHS_MS - DAY_MS);
  assert.lengthOf(sink.log, calls, "too early");
  assert.isBelow(clock.delays.length - timers, 20, "it keeps waking up");
  // And a second more: some clocks are so far on that months of nanoseconds are rounded.
  await clock.advance(DAY_MS + 1000);
  assert.lengthOf(sink.log, calls + 1, "not after its time");
  assert.isAtMost(Math.max(...clock.delays), MAX_DELAY_MS);
}

test("a batch waits for a maxDelayMs of months", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: MONTHS_MS } });
  bus.ingest(1);
  await idle();
  await assertPutOff(sink);
  await bus.close();
});

test("an attempt has a timeoutMs of months", async () => {
  const sink = recorder([hang]);
  const retry = { baseDelayMs: 0, maxDelayMs: 0 };
  const bus = new EventBus(sink.callback, { timeoutMs: MONTHS_MS, batch: { minSize: 1 }, retry });
  bus.ingest(1);
  await sink.calls(1);
  await assertPutOff(sink);
  assert.isTrue(sink.log[0]?.signal.aborted);
  await bus.close();
});

/** Ways in which a receiver asks for a pause. */
const pauses = {
  "a retryAfterMs": () => new DeliveryError("busy", { retryAfterMs: MONTHS_MS }),
  "a Retry-After": () => {
    const headers = { "retry-after": `${MONTHS_MS / 1000}` };
    return DeliveryError.fromResponse(new Response("", { status: 429, headers }));
  },
};

for (const [what, errorOf] of Object.entries(pauses)) {
  test(`the next attempt waits for ${what} of months`, async () => {
    const sink = recorder([fail(errorOf())]);
    const retry = { maxRetryAfterMs: MONTHS_MS };
    const bus = new EventBus(sink.callback, { batch: { minSize: 1 }, retry });
    bus.ingest(1);
    await sink.calls(1);
    await idle();
    await assertPutOff(sink);
    await bus.close();
  });
}

test("a pause between attempts may be months long", async () => {
  const sink = recorder([fail("no")]);
  const retry = { baseDelayMs: MONTHS_MS, maxDelayMs: MONTHS_MS };
  const bus = new EventBus(sink.callback, { batch: { minSize: 1 }, retry });
  bus.ingest(1);
  await sink.calls(1);
  await idle();
  await clock.advance(MONTHS_MS);
  assert.lengthOf(sink.log, 2);
  assert.isBelow(clock.delays.length, 20, "it keeps waking up");
  assert.isAtMost(Math.max(...clock.delays), MAX_DELAY_MS);
  await bus.close();
});

test("a store has months for its operations", async () => {
  /** @type {string[]} */
  const errors = [];
  const store = customStore({
    open: async () => [],
    read: async () => undefined,
    write: () => new Promise(() => {}),
    remove: async () => {},
  });
  const sink = recorder();
  const bus = new EventBus(sink.callback, {
    store,
    onStoreError: ({ message }) => errors.push(message),
    // A quarter of it is the store's.
    timeoutMs: 4 * MONTHS_MS,
    batch: { minSize: 1 },
  });
  bus.ingest(1);
  await idle();
  await assertPutOff(sink);
  assert.lengthOf(errors, 1);
  await bus.close();
});

test("a manual flush that waits for months looks now and then, and not all the time", async () => {
  const sink = recorder([fail(pauses["a retryAfterMs"]())]);
  const bus = new EventBus(sink.callback, { scheduler: "manual" });
  bus.ingest(1);
  const flushed = bus.flush();
  await sink.calls(1);
  await idle();
  await clock.advance(1000);
  assert.isBelow(clock.delays.length, 50);
  await clock.jump(MONTHS_MS);
  assert.equal((await flushed).delivered, 1);
  await bus.close();
});

// @ts-check
import { DeliveryError, EventBus, isShardbusError } from "shardbus";
import {
  accountedStats,
  assert,
  hang,
  hangUntilAborted,
  idle,
  quickRetry,
  recorder,
  test,
} from "./harness.mjs";

test("an attempt that takes longer than timeoutMs is aborted and made again", async () => {
  const sink = recorder([hangUntilAborted]);
  const bus = new EventBus(sink.callback, { timeoutMs: 20, retry: quickRetry });
  bus.ingest(1);
  // Well before the lease runs out, which is for hosts that died.
  assert.include(await bus.flush({ timeoutMs: 900 }), { delivered: 1, timedOut: false });
  assert.equal(accountedStats(bus).batches.expired, 0);
  const [first, second] = sink.log;
  assert.isTrue(first?.signal.aborted);
  assert.equal(first?.signal.reason.name, "TimeoutError");
  assert.equal(first?.signal.reason.code, "ERR_TIMEOUT");
  assert.include(first?.signal.reason.message, "20 ms");
  assert.isTrue(isShardbusError(first?.signal.reason));
  assert.isFalse(second?.signal.aborted);
  assert.deepEqual([second?.id, second?.attempt], [first?.id, 2]);
});

test("a signal that is first asked for after the end of its attempt is aborted all the same", async () => {
  /** @type {import("shardbus").DeliveryContext[]} */
  const contexts = [];
  const callback = (/** @type {unknown} */ _, /** @type {any} */ context) => {
    contexts.push(context);
    return contexts.length === 1 ? new Promise(() => {}) : undefined;
  };
  const bus = new EventBus(callback, { timeoutMs: 20, retry: quickRetry });
  bus.ingest(1);
  assert.equal((await bus.flush()).delivered, 1);
  const [first, second] = contexts;
  assert.isTrue(first?.signal.aborted);
  assert.include(first?.signal.reason, { name: "TimeoutError", code: "ERR_TIMEOUT" });
  assert.strictEqual(first?.signal, first?.signal);
  assert.isFalse(second?.signal.aborted);
  assert.instanceOf({ ...second }.signal, AbortSignal);
});

test("an attempt that never ends cannot stop the bus, deaf to its signal or not", async () => {
  /** @type {import("shardbus").Drop[]} */
  const log = [];
  const onDrop = (/** @type {import("shardbus").Drop} */ drop) => log.push(drop);
  const sink = recorder([hang, hangUntilAborted]);
  const bus = new EventBus(sink.callback, { timeoutMs: 10, retry: quickRetry, onDrop });
  bus.ingest("early");
  assert.equal((await bus.flush()).delivered, 1);
  bus.ingest("later");
  assert.equal((await bus.flush()).delivered, 1);
  assert.deepEqual(sink.delivered(), ["early", "later"]);
  assert.isEmpty(log, "an outage is no reason to give up");
});

test("without retries, an attempt that never ends costs its batch, and no other", async () => {
  for (const step of [hang, hangUntilAborted]) {
    /** @type {import("shardbus").Drop[]} */
    const log = [];
    const onDrop = (/** @type {import("shardbus").Drop} */ drop) => log.push(drop);
    const sink = recorder([step]);
    const bus = new EventBus(sink.callback, { timeoutMs: 10, retry: false, onDrop });
    bus.ingest("lost");
    assert.equal((await bus.flush()).abandoned, 1);
    bus.ingest("later");
    assert.equal((await bus.flush()).delivered, 1);
    assert.deepEqual(sink.delivered(), ["later"]);
    assert.lengthOf(log, 1);
    assert.include(log[0], { reason: "retries", count: 1, attempts: 1 });
    assert.include(log[0]?.error, { code: "ERR_TIMEOUT" });
  }
});

/** Late answers of an attempt that was cut off. @type {Record<string, (call: any) => void>} */
const lateAnswers = {
  success: (call) => call.release(),
  failure: (call) => call.fail(new Error("late")),
  "permanent failure": (call) => call.fail(new DeliveryError("late", { retryable: false })),
};

for (const [what, answer] of Object.entries(lateAnswers)) {
  test(`a late ${what} changes nothing while the next attempt runs`, async () => {
    const sink = recorder([hang, hang]);
    const bus = new EventBus(sink.callback, { timeoutMs: 400, retry: quickRetry });
    bus.ingest(1);
    const flushed = bus.flush();
    const [first, second] = await sink.calls(2);
    answer(first);
    await idle();
    const { inFlight, delivered, abandoned } = accountedStats(bus);
    assert.deepEqual([inFlight, delivered, abandoned.permanent], [1, 0, 0]);
    assert.lengthOf(sink.log, 2);
    second?.release();
    assert.equal((await flushed).delivered, 1);
  });

  test(`a late ${what} changes nothing after the next attempt`, async () => {
    const sink = recorder([hang]);
    const bus = new EventBus(sink.callback, { timeoutMs: 20, retry: quickRetry });
    bus.ingest(1);
    await bus.flush();
    const before = accountedStats(bus);
    answer(sink.log[0]);
    await idle();
    assert.deepEqual(accountedStats(bus), before);
    assert.lengthOf(sink.log, 2);
  });
}

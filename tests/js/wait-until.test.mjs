// @ts-check
import { EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  assert,
  HOUR_MS,
  hang,
  idle,
  recorder,
  test,
  thrown,
  within,
} from "./harness.mjs";

/** @type {import("shardbus").EventBusOptions<any>} */
const byFlush = { scheduler: "manual", batch: { maxDelayMs: HOUR_MS } };

/** A request's context, which keeps the promises that it gets. */
class Context {
  /** @type {Promise<unknown>[]} */
  promises = [];

  /** @param {Promise<unknown>} promise */
  waitUntil(promise) {
    this.promises.push(promise);
  }

  async over() {
    await within(Promise.all(this.promises), () => "the request does not end");
  }
}

for (const scheduler of /** @type {const} */ (["manual", "auto"])) {
  test(`waitUntil flushes within the request (${scheduler})`, async () => {
    const sink = recorder();
    const bus = new EventBus(sink.callback, { ...byFlush, scheduler });
    const context = new Context();
    bus.ingest(1);
    bus.waitUntil(context);
    bus.ingest(2);
    assert.isEmpty(sink.log);
    await context.over();
    assert.deepEqual(sink.log[0]?.events, [1, 2]);
    assert.equal(accountedStats(bus).delivered, 2);
  });
}

test("waitUntil gives a request one promise, and leaves its context as it is", async () => {
  const bus = new EventBus(() => {}, byFlush);
  const context = Object.freeze(new Context());
  for (let i = 0; i < 100; i++) {
    bus.ingest(i);
    bus.waitUntil(context);
  }
  await context.over();
  assert.lengthOf(context.promises, 1);
  const other = new Context();
  bus.waitUntil(other);
  await other.over();
  bus.waitUntil(context);
  assert.lengthOf(context.promises, 2, "the first has settled");
  await context.over();
});

test("waitUntil waits until the bus is quiet, but not for ever", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, byFlush);
  const context = new Context();
  bus.waitUntil(context);
  const timer = setInterval(() => bus.ingest("more"), 10);
  const start = performance.now();
  try {
    await sink.calls(1);
  } finally {
    clearInterval(timer);
  }
  assert.isAtLeast(performance.now() - start, 450);
  assert.isAbove(sink.log[0]?.count ?? 0, 10);
  await context.over();
});

test("waitUntil called during its flush flushes again, for the same promise", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, byFlush);
  const context = new Context();
  bus.ingest(1);
  bus.waitUntil(context);
  const [first] = await sink.calls(1);
  bus.ingest(2);
  bus.waitUntil(context);
  first?.release();
  await context.over();
  assert.deepEqual(sink.delivered(), [1, 2]);
  assert.lengthOf(context.promises, 1);
});

/** How long a Worker may live on after its response. */
const WORKER_MS = 30_000;

for (const scheduler of /** @type {const} */ (["manual", "auto"])) {
  test(`waitUntil ends before the runtime would end the request (${scheduler})`, async () => {
    const clock = new Clock();
    try {
      const sink = recorder([], hang);
      const bus = new EventBus(sink.callback, { ...byFlush, scheduler, timeoutMs: HOUR_MS });
      const context = new Context();
      let isOver = false;
      bus.ingest(1);
      bus.waitUntil(context);
      const over = context.over().then(() => {
        isOver = true;
      });
      await clock.advance(100);
      await sink.calls(1);
      await clock.jump(WORKER_MS - 6000);
      assert.isFalse(isOver, "most of that time is the receiver's");
      await clock.jump(5000);
      await over;
      assert.equal(accountedStats(bus).inFlight, 1);
      sink.log[0]?.release();
      await idle();
      await bus.close();
    } finally {
      clock.restore();
    }
  });
}

test("what is no context is refused", () => {
  const bus = new EventBus(() => {}, byFlush);
  for (const context of [undefined, null, {}, () => {}, { waitUntil: 1 }, "ctx"]) {
    const error = thrown(() => bus.waitUntil(/** @type {any} */ (context)));
    assert.include(error, {
      name: "InvalidOptionError",
      code: "ERR_INVALID_OPTION",
      option: "ctx",
    });
  }
});

test("waitUntil on a bus that is closed resolves", async () => {
  const bus = new EventBus(() => {}, byFlush);
  const context = new Context();
  bus.waitUntil(context);
  await bus.close();
  await idle();
  bus.waitUntil(new Context());
  await context.over();
});

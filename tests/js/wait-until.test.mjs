// @ts-check
import { EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  accountedStats,
  assert,
  fail,
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
  const clock = new Clock();
  try {
    const sink = recorder();
    const bus = new EventBus(sink.callback, byFlush);
    const context = new Context();
    bus.waitUntil(context);
    const offer = async (/** @type {number} */ times) => {
      for (let i = 0; i < times; i++) {
        bus.ingest("more");
        await clock.advance(10);
      }
    };
    await offer(45);
    assert.isEmpty(sink.log, "each event puts the flush off");
    await offer(15);
    assert.isAtLeast(sink.log[0]?.count ?? 0, 45, "events still come");
    await clock.advance(1000);
    await context.over();
  } finally {
    clock.restore();
  }
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

test("requests that come close together share one flush, and their events one batch", async () => {
  const clock = new Clock();
  try {
    const sink = recorder();
    const bus = new EventBus(sink.callback, byFlush);
    const contexts = Array.from({ length: 20 }, () => new Context());
    for (const [i, context] of contexts.entries()) {
      bus.ingest(i);
      bus.waitUntil(context);
      await clock.advance(2);
    }
    assert.isEmpty(sink.log, "each request puts the flush off");
    await clock.advance(2000);
    for (const context of contexts) await context.over();
    assert.lengthOf(sink.log, 1);
    assert.lengthOf(sink.delivered(), 20);
    const waiting = contexts.filter(({ promises }) => promises.length > 0);
    assert.isAtLeast(waiting.length, 2, "one may be killed");
    assert.isBelow(waiting.length, 20, "to keep a request alive is not free");
  } finally {
    clock.restore();
  }
});

test("requests that wait for an outage to end look seldom", async () => {
  const clock = new Clock();
  try {
    const sink = recorder([], fail(new Error("nobody answers")));
    const bus = new EventBus(sink.callback, byFlush);
    const requests = 200;
    for (let i = 0; i < requests; i++) {
      bus.ingest(i);
      bus.waitUntil(new Context());
      await clock.advance(16);
    }
    const { pending, inFlight } = accountedStats(bus);
    assert.equal(pending + inFlight, requests);
    assert.isBelow(clock.delays.length, requests, "each look wakes a request up");
    const before = clock.delays.length;
    await clock.advance(20_000);
    assert.isBelow(clock.delays.length - before, 500, "nor do they look more often later");
    await bus.close({ timeoutMs: 0 });
  } finally {
    clock.restore();
  }
});

for (const [what, options, atOnce] of /** @type {const} */ ([
  ["quietMs is how long no event must come", { quietMs: 200, maxWaitMs: 5000 }, 100],
  ["maxWaitMs is how long events wait at most", { quietMs: 1000, maxWaitMs: 200 }, 100],
  ["with minEvents, few events wait for more", { minEvents: 3, maxWaitMs: 5000 }, 1000],
])) {
  test(`waitUntil's options: ${what}`, async () => {
    const clock = new Clock();
    try {
      const sink = recorder();
      const bus = new EventBus(sink.callback, byFlush);
      bus.ingest(1);
      bus.waitUntil(new Context(), options);
      await clock.advance(atOnce);
      assert.isEmpty(sink.log, "not yet");
      bus.ingestBatch([2, 3]);
      await clock.advance(500);
      assert.deepEqual(sink.delivered(), [1, 2, 3]);
      await bus.close();
    } finally {
      clock.restore();
    }
  });
}

test("few events wait no longer than maxWaitMs", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, byFlush);
  const context = new Context();
  bus.ingest(1);
  bus.waitUntil(context, { minEvents: 100, maxWaitMs: 100 });
  await context.over();
  assert.deepEqual(sink.delivered(), [1]);
});

test("options of waitUntil that are none are refused", () => {
  const bus = new EventBus(() => {}, byFlush);
  for (const [options, option] of /** @type {[any, string][]} */ ([
    [{ quietMs: -1 }, "quietMs"],
    [{ quietMs: "50" }, "quietMs"],
    [{ maxWaitMs: 20_001 }, "maxWaitMs"],
    [{ minEvents: 0 }, "minEvents"],
    [{ minEvents: 1.5 }, "minEvents"],
    [{ maxDelayMs: 5 }, "maxDelayMs"],
    [5, "options"],
  ])) {
    const context = new Context();
    const error = thrown(() => bus.waitUntil(context, options));
    assert.include(error, { code: "ERR_INVALID_OPTION", option });
    assert.isEmpty(context.promises);
  }
});

/** The time that a Worker may live on after its response. */
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

test("a value that is no context is rejected", () => {
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

/**
 * Puts the context of the running request where each runtime has it.
 *
 * @type {{ [runtime: string]: (context: Context) => [string | symbol, any] }}
 */
const ambient = {
  Vercel: (context) => [Symbol.for("@vercel/request-context"), { get: () => context }],
  "Next.js": (context) => [Symbol.for("@next/request-context"), { get: () => context }],
  Netlify: (context) => ["Netlify", { context }],
  Supabase: (context) => ["EdgeRuntime", context],
  Bunny: (context) => ["Bunny", { v1: context }],
};

for (const [runtime, keep] of Object.entries(ambient)) {
  test(`waitUntil finds the request that runs: ${runtime}`, async () => {
    const sink = recorder();
    const bus = new EventBus(sink.callback, byFlush);
    const along = new EventBus(sink.callback, { ...byFlush, waitUntil: true });
    const context = new Context();
    const [name, value] = keep(context);
    Object.defineProperty(globalThis, name, { value, configurable: true });
    try {
      bus.ingest("asked for");
      bus.waitUntil();
      along.ingest("by option");
      along.emit("by option, too");
    } finally {
      Reflect.deleteProperty(globalThis, name);
    }
    await context.over();
    assert.sameMembers(sink.delivered(), ["asked for", "by option", "by option, too"]);
  });
}

test("with a function as the option `waitUntil`, no event needs a call", async () => {
  const sink = recorder();
  const context = new Context();
  const bus = new EventBus(sink.callback, {
    ...byFlush,
    waitUntil: (promise) => context.waitUntil(promise),
  });
  for (let i = 0; i < 10; i++) bus.ingest(i);
  bus.waitUntil();
  await idle();
  bus.ingestBatch([10]);
  await context.over();
  assert.lengthOf(sink.delivered(), 11);
  assert.isAtMost(context.promises.length, 3);
});

test("events outside of a request wait for one", async () => {
  const sink = recorder();
  const context = new Context();
  let isRequest = false;
  const bus = new EventBus(sink.callback, {
    ...byFlush,
    waitUntil: (promise) => {
      if (!isRequest) throw new Error("Disallowed operation called within global scope");
      context.waitUntil(promise);
    },
  });
  bus.ingest("at global scope");
  await idle();
  assert.isEmpty(sink.log);
  isRequest = true;
  bus.ingest("in a request");
  await context.over();
  assert.deepEqual(sink.delivered(), ["at global scope", "in a request"]);
});

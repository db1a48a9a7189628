// @ts-check
// User code runs in the middle of the bus's own: the callback, `onDrop`, the key function, `toJSON`,
// listeners of a signal. All of it may use the bus, this one or another.
import { EventBus } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  fail,
  HOUR_MS,
  hang,
  idle,
  quickRetry,
  recorder,
  test,
  within,
} from "./harness.mjs";

/** @typedef {(bus: EventBus<any>) => unknown} Use */

/** Everything that can be done to a bus. Promises are not awaited. @type {Record<string, Use>} */
const uses = {
  ingest: (bus) => bus.ingest("again"),
  "ingest of what is not ASCII": (bus) => bus.ingest("€"),
  ingestRaw: (bus) => bus.ingestRaw('"again"'),
  "ingestRaw of bytes": (bus) => bus.ingestRaw(new Uint8Array([0x31])),
  ingestBatch: (bus) => bus.ingestBatch(Array(200).fill("again")),
  ingestWithReceipt: (bus) => bus.ingestWithReceipt("again"),
  "ingest of what is invalid": (bus) => bus.ingestBatch([undefined, 1n]),
  flush: (bus) => bus.flush(),
  settled: (bus) => bus.settled(),
  ready: (bus) => bus.ready().catch(() => {}),
  drain: (bus) => bus.drain(),
  "a loss, and drain": (bus) => {
    bus.ingestBatch([undefined]);
    bus.drain();
  },
  stats: (bus) => accountedStats(bus),
  close: (bus) => bus.close(),
  "close at once": (bus) => bus.close({ timeoutMs: 0 }),
};

/** An event that does something while it is serialised. @param {() => unknown} use @param {any} as */
const serialisedBy = (use, as) => ({
  toJSON() {
    use();
    return as;
  },
});

for (const [what, use] of Object.entries(uses)) {
  test(`the callback may use its bus: ${what}`, async () => {
    const sink = recorder([fail("no")]);
    let uses = 0;
    /** @type {EventBus<any>} */
    const bus = new EventBus(
      (batch, context) => {
        if (uses++ < 3) use(bus);
        return sink.callback(batch, context);
      },
      { shards: 2, retry: quickRetry, batch: { maxSize: 2 }, onDrop: () => {} },
    );
    bus.ingestBatch([1, 2, 3, 4, 5, "€"]);
    await within(bus.flush(), () => "the flush does not end");
    accountedStats(bus);
    await within(bus.close(), () => "the bus does not close");
    const { pending, inFlight } = accountedStats(bus);
    assert.deepEqual([pending, inFlight], [0, 0]);
  });

  test(`onDrop may use its bus: ${what}`, async () => {
    /** @type {Record<string, number>} */
    const told = {};
    let uses = 0;
    /** @type {EventBus<any>} */
    const bus = new EventBus(recorder([fail("no"), fail("no")]).callback, {
      capacity: 4,
      maxEventBytes: 30,
      retry: false,
      batch: { minSize: 2, maxSize: 2, maxDelayMs: HOUR_MS },
      onDrop: ({ reason, count }) => {
        told[reason] = (told[reason] ?? 0) + count;
        if (uses++ < 6) use(bus);
      },
    });
    bus.ingestBatch([1, 2, 3, 4, 5, undefined, "too large".repeat(9)]);
    await idle();
    await within(bus.flush(), () => "the flush does not end");
    await within(bus.close(), () => "the bus does not close");
    const { rejected, evicted, abandoned, pending, inFlight } = accountedStats(bus);
    assert.deepEqual([pending, inFlight], [0, 0]);
    const lost = Object.entries({ ...rejected, evicted, ...abandoned });
    assert.deepEqual(told, Object.fromEntries(lost.filter(([, count]) => count > 0)));
  });

  test(`an event's own code may use the bus that it goes into: ${what}`, async () => {
    /** @type {unknown[]} */
    const received = [];
    const bus = new EventBus((batch) => received.push(...batch.events()), {
      shards: 2,
      key: (/** @type {any} */ event) => {
        if (event?.use === "key") use(bus);
        return "k";
      },
      batch: { maxDelayMs: HOUR_MS },
      onDrop: () => {},
    });
    const used = serialisedBy(() => use(bus), "used");
    for (let i = 0; i < 100; i++) bus.ingest(i);
    bus.ingest(used);
    bus.ingest({ use: "key" });
    for (let i = 0; i < 10; i++) bus.ingest("after");
    const { offered, accepted, drained } = accountedStats(bus);
    await within(bus.close(), () => "the bus does not close");
    assert.isAtLeast(offered, 112);
    assert.equal(received.length, accepted - drained - accountedStats(bus).abandoned.shutdown);
  });
}

test("events offered by an event's own code come before it", () => {
  for (const shards of [1, 2]) {
    /** @type {EventBus<any>} */
    const bus = new EventBus(() => {}, {
      shards,
      key: (event) => {
        if (event === "keyed") bus.ingest("by key");
        return "k";
      },
    });
    bus.ingest("before");
    bus.ingest(serialisedBy(() => bus.ingest("by toJSON"), "event"));
    bus.ingest("keyed");
    bus.ingest("after");
    const keyed = shards === 1 ? [] : ["by key"];
    assert.deepEqual(
      bus.drain().flatMap((batch) => batch.events()),
      ["before", "by toJSON", "event", ...keyed, "keyed", "after"],
    );
  }
});

test("a bus that is closed by an event's own code while it closes is closed once", async () => {
  const sink = recorder();
  /** @type {EventBus<any>} */
  const bus = new EventBus(sink.callback, { onDrop: () => {} });
  /** @type {Promise<unknown> | undefined} */
  let inner;
  const close = () => {
    inner ??= bus.close();
  };
  bus.emit(serialisedBy(close, "closing"));
  const report = await within(bus.close(), () => "the bus does not close");
  assert.deepEqual(await inner, report);
  const { delivered, rejected } = accountedStats(bus);
  assert.deepEqual([report.delivered, sink.delivered().length], [delivered, delivered]);
  assert.equal(rejected.closed, 1);
});

test("an event whose code fills the bus is refused like any other", () => {
  const options = /** @type {const} */ ({ capacity: 4, backpressure: "drop-newest" });
  const bus = new EventBus(() => {}, { ...options, onDrop: () => {} });
  const greedy = serialisedBy(() => bus.ingestBatch([1, 2, 3]), "event");
  assert.isFalse(bus.ingest(greedy));
  assert.deepEqual(
    bus.drain().flatMap((batch) => batch.events()),
    [1, 2, 3],
  );
});

test("a callback that waits for its own flush, or close, is cut off like any that hangs", async () => {
  for (const method of /** @type {const} */ (["flush", "close"])) {
    const sink = recorder([() => bus[method]()]);
    const bus = new EventBus(sink.callback, { timeoutMs: 20, retry: quickRetry });
    bus.ingest(1);
    assert.equal((await within(bus.flush(), () => method)).delivered, 1);
    await within(bus.close(), () => method);
    assert.equal(accountedStats(bus).delivered, 1);
  }
});

test("a listener of an attempt's signal may use the bus", async () => {
  const aborted = deferred();
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, { timeoutMs: 10, retry: false, onDrop: () => {} });
  bus.ingest(1);
  bus.flush();
  (await sink.calls(1))[0]?.signal.addEventListener("abort", () => {
    bus.ingest(2);
    bus.drain();
    accountedStats(bus);
    aborted.resolve();
  });
  await within(aborted.promise, () => "the attempt is not aborted");
  await bus.close();
  assert.equal(accountedStats(bus).abandoned.retries, 1);
});

test("a bus may feed another", async () => {
  const sink = recorder([fail("no")]);
  const second = new EventBus(sink.callback, { retry: quickRetry });
  const first = new EventBus((batch) => second.ingestBatch(batch.events()), { shards: 4 });
  for (let i = 0; i < 1000; i++) {
    first.ingest({ i });
    second.ingest(serialisedBy(() => first.ingest({ i: i + 1000 }), { i: i + 2000 }));
  }
  await first.close();
  await second.close();
  const seen = sink.delivered().map(({ i }) => i);
  assert.sameMembers(seen, [...Array(3000).keys()]);
});

/** Ways to offer an event. @type {Record<string, (bus: EventBus<any>, event: number) => unknown>} */
const ways = {
  ingest: (bus, event) => bus.ingest(event),
  ingestWithReceipt: (bus, event) => bus.ingestWithReceipt(event),
  "ingestRaw of bytes": (bus, event) => bus.ingestRaw(new TextEncoder().encode(`${event}`)),
  ingestBatch: (bus, event) => bus.ingestBatch([event]),
  ingestRaw: (bus, event) => bus.ingestRaw(`${event}`),
};

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  test(`events offered by a callback are counted at once, and delivered once and in order (${scheduler})`, async () => {
    const EVENTS = 200;
    const sink = recorder();
    let next = 0;
    /** The numbers of offered and of accepted events. @type {number[][]} */
    const counts = [];
    const offer = () => {
      for (const way of Object.values(ways)) if (next < EVENTS) way(bus, next++);
      counts.push([next, bus.stats().accepted]);
    };
    /** @type {EventBus<any>} */
    const bus = new EventBus(
      async (batch, context) => {
        // Within the poll, and in a later turn.
        offer();
        await null;
        offer();
        await sink.callback(batch, context);
      },
      { scheduler, batch: { maxSize: 7, maxDelayMs: 1 } },
    );
    offer();
    const all = async () => {
      // With the scheduler "auto" nothing more is called.
      while (scheduler === "manual" && sink.delivered().length < EVENTS) await bus.flush();
      while (sink.delivered().length < EVENTS) await sink.calls(sink.log.length + 1).then(idle);
    };
    await within(all(), () => `${sink.delivered().length} of ${EVENTS} events were delivered`);
    assert.deepEqual(sink.delivered(), [...Array(EVENTS).keys()]);
    for (const [offered, accepted] of counts) assert.equal(accepted, offered);
    await bus.close();
    assert.equal(accountedStats(bus).delivered, EVENTS);
  });
}

test("ready waits though it was a callback that filled the bus", async () => {
  const sink = recorder([hang]);
  let isReady = false;
  /** @type {EventBus<any>} */
  const bus = new EventBus(
    (batch, context) => {
      if (sink.log.length === 0) for (let n = 0; n < 14; n++) bus.ingest(n);
      return sink.callback(batch, context);
    },
    { capacity: 16, batch: { minSize: 100, maxDelayMs: HOUR_MS } },
  );
  bus.ingestBatch(Array(12).fill("x"));
  const ready = bus.ready().then(() => {
    isReady = true;
  });
  await sink.calls(1);
  await idle();
  assert.isFalse(isReady, "what it offered is in the last quarter");
  sink.log[0]?.release();
  await within(ready, () => "not ready though all is sent");
  await bus.close();
});

// @ts-check
// `emit`, for code that must not break because of its telemetry.
import { EventBus } from "shardbus";
import { accountedStats, assert, HOUR_MS, idle, recorder, test } from "./harness.mjs";

/**
 * A bus, and the reports to its `onDrop`.
 * @param {import("shardbus").EventBusOptions<any>} [options]
 */
function listenedBus(options) {
  const sink = recorder();
  /** @type {import("shardbus").Drop[]} */
  const drops = [];
  const onDrop = (/** @type {import("shardbus").Drop} */ drop) => drops.push(drop);
  return { bus: new EventBus(sink.callback, { onDrop, ...options }), sink, drops };
}

test("emitted events are delivered, and emit returns nothing", async () => {
  const { bus, sink } = listenedBus();
  assert.isUndefined(bus.emit({ n: 1 }));
  bus.ingest({ n: 2 });
  bus.emit({ n: 3 });
  await bus.close();
  assert.deepEqual(sink.delivered(), [{ n: 1 }, { n: 2 }, { n: 3 }]);
});

test("emit routes by key", async () => {
  const { bus, sink } = listenedBus({ shards: 8 });
  for (let n = 0; n < 100; n++) bus.emit(n, { key: "k" });
  await bus.close();
  assert.deepEqual(
    sink.log.map(({ shard }) => shard),
    sink.log.map(() => sink.log[0]?.shard),
  );
});

const cyclic = { type: "click", target: {} };
cyclic.target = cyclic;

/** @type {{ [what: string]: [any, import("shardbus").EventBusOptions<any>, any] }} */
const refused = {
  "is cyclic": [cyclic, {}, { reason: "invalid", code: "ERR_INVALID_EVENT" }],
  "has a bigint": [{ n: 1n }, {}, { reason: "invalid", code: "ERR_INVALID_EVENT" }],
  "is undefined": [undefined, {}, { reason: "invalid", code: "ERR_INVALID_EVENT" }],
  "has a getter that throws": [
    {
      get n() {
        throw new Error("boom");
      },
    },
    {},
    { reason: "invalid", code: "ERR_INVALID_EVENT" },
  ],
  "has a key that is none": [
    1,
    { shards: 2, key: () => /** @type {any} */ (5) },
    { reason: "invalid", code: "ERR_INVALID_EVENT" },
  ],
  "is too large": [
    "x".repeat(100),
    { maxEventBytes: 10 },
    { reason: "oversize", code: "ERR_EVENT_TOO_LARGE" },
  ],
};

for (const [what, [event, options, { reason, code }]] of Object.entries(refused)) {
  test(`an event that ${what} does not make emit throw, and is told with its error`, async () => {
    const { bus, sink, drops } = listenedBus(/** @type {any} */ (options));
    bus.emit(event);
    await idle();
    assert.lengthOf(drops, 1);
    assert.include(drops[0], { reason, count: 1 });
    assert.include(drops[0]?.error, { code });
    assert.equal(accountedStats(bus).rejected[/** @type {"invalid"} */ (reason)], 1);
    await bus.close();
    assert.deepEqual(sink.delivered(), []);
  });
}

test("an event for which there is no room does not make emit throw, and is told", async () => {
  const { bus, drops } = listenedBus({
    capacity: 4,
    backpressure: "fail-producer",
    batch: { maxDelayMs: HOUR_MS },
  });
  for (let n = 0; n < 5; n++) bus.emit(n);
  await idle();
  assert.deepEqual(drops, [{ reason: "full", count: 2 }]);
});

test("an event after the end does not make emit throw, and is told", async () => {
  const { bus, drops } = listenedBus();
  await bus.close();
  bus.emit(1);
  await idle();
  assert.include(drops[0], { reason: "closed", count: 1 });
  assert.include(drops[0]?.error, { code: "ERR_CLOSED" });
});

test("without a handler, the warning names the event's defect", async () => {
  /** @type {string[]} */
  const warnings = [];
  const { warn } = console;
  console.warn = (message) => warnings.push(message);
  try {
    const bus = new EventBus(() => {});
    bus.emit(cyclic);
    await idle();
  } finally {
    console.warn = warn;
  }
  assert.lengthOf(warnings, 1);
  assert.match(warnings[0] ?? "", /1 event was not to be written as JSON: .*(circular|cyclic)/i);
});

test("emit can be handed on without its bus", async () => {
  const { bus, sink } = listenedBus();
  const { emit } = bus;
  emit({ n: 1 });
  const target = new EventTarget();
  const report = (/** @type {(event: any) => void} */ to) =>
    target.addEventListener("e", ({ type }) => to({ type }));
  report(bus.emit);
  target.dispatchEvent(new Event("e"));
  new Proxy(bus, {}).emit({ n: 2 });
  await bus.close();
  assert.deepEqual(sink.delivered(), [{ n: 1 }, { type: "e" }, { n: 2 }]);
});

test("emitted events and those of other methods stay in order", () => {
  const { bus } = listenedBus({ batch: { maxDelayMs: HOUR_MS } });
  /** @type {((n: number) => unknown)[]} */
  const ways = [
    (n) => bus.emit(n),
    (n) => bus.emit(n),
    (n) => bus.ingest(n),
    (n) => bus.ingestRaw(`${n}`),
    (n) => bus.ingestRaw(new TextEncoder().encode(`${n}`)),
    (n) => bus.ingestBatch([n]),
    (n) => bus.ingestWithReceipt(n),
  ];
  const count = 500;
  for (let n = 0; n < count; n++) ways[(n * n + (n >> 3)) % ways.length]?.(n);
  assert.deepEqual(
    bus.drain().flatMap((batch) => batch.events()),
    Array.from({ length: count }, (_, n) => n),
  );
});

test("an emitted event counts at once, in every view of the bus", async () => {
  const { bus, sink } = listenedBus();
  for (let n = 1; n < 600; n++) {
    bus.emit({ n });
    if (n % 7 === 0) assert.include(accountedStats(bus), { offered: n, accepted: n });
  }
  assert.equal((await bus.flush()).delivered, 599);
  bus.emit({ n: 600 });
  const closed = bus.close();
  bus.emit({ n: 601 });
  assert.equal((await closed).delivered, 1);
  bus.emit({ n: 602 });
  assert.lengthOf(sink.delivered(), 600);
  assert.include(accountedStats(bus), { offered: 602, accepted: 600 });
  assert.equal(accountedStats(bus).rejected.closed, 2);
});

test("a full bus takes no more by emit than by ingest", () => {
  const counts = /** @type {const} */ (["emit", "ingest"]).map((method) => {
    const { bus } = listenedBus({ capacity: 16, backpressure: "drop-newest" });
    for (let n = 0; n < 40; n++) bus[method](n);
    return accountedStats(bus);
  });
  assert.deepEqual(counts[0]?.accepted, 15);
  assert.deepEqual(counts[0]?.rejected, counts[1]?.rejected);
});

test("an event that offers others while it is written loses none", () => {
  const { bus } = listenedBus({ batch: { maxDelayMs: HOUR_MS } });
  const offering = (/** @type {number} */ n) => ({
    toJSON() {
      bus.emit(n + 1);
      bus.ingest(n + 2);
      return n;
    },
  });
  bus.emit(0);
  bus.emit(offering(1));
  bus.emit(offering(4));
  bus.emit(7);
  const events = bus.drain().flatMap((batch) => batch.events());
  assert.sameMembers(events, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(accountedStats(bus).accepted, 8);
});

test("an event that was emitted does not pay for a caller at the end of the stack", () => {
  for (const size of [1, 5, 20]) {
    const { bus } = listenedBus({ batch: { maxDelayMs: HOUR_MS } });
    for (let n = 0; n < 3; n++) bus.emit({ deep: { list: Array(size).fill([n]) } });
    // Calls the bus at the end of the stack, and then one level higher each time that it throws.
    const dive = () => {
      try {
        dive();
      } catch {
        bus.stats();
      }
    };
    dive();
    assert.include(accountedStats(bus), { offered: 3, accepted: 3 });
  }
});

test("an event that an emitted event emits is serialised in the same turn", async () => {
  const { bus, sink } = listenedBus({ batch: { maxDelayMs: HOUR_MS } });
  bus.ingest({ n: 0 });
  await idle();
  const inner = { n: 1 };
  let hasLogged = false;
  bus.emit({
    toJSON() {
      if (!hasLogged) bus.emit(inner);
      hasLogged = true;
      return { n: 2 };
    },
  });
  await idle();
  inner.n = 3;
  await bus.close();
  assert.deepEqual(sink.delivered(), [{ n: 0 }, { n: 1 }, { n: 2 }]);
  assert.equal(accountedStats(bus).delivered, 3);
});

test("emit tells of events that it could not take once there is a console to tell", async () => {
  const { bus } = listenedBus();
  const messages = /** @type {string[]} */ ([]);
  let hasRoom = false;
  const { error } = console;
  const { now } = Date;
  const event = { n: "x".repeat(100_000) };
  try {
    console.error = (/** @type {string} */ message) => {
      // As at the end of the stack.
      if (!hasRoom) throw new RangeError("Maximum call stack size exceeded");
      messages.push(message);
    };
    Date.now = () => {
      throw new RangeError("Maximum call stack size exceeded");
    };
    assert.doesNotThrow(() => bus.emit(event, { key: "k" }));
    hasRoom = true;
    bus.emit(event, { key: "k" });
    bus.emit(event, { key: "k" });
  } finally {
    console.error = error;
    Date.now = now;
  }
  assert.equal(messages.length, 1);
  await bus.close();
});

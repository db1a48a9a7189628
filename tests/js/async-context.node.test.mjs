// @ts-check
// Whose `AsyncLocalStorage` a bus's callbacks see: that of the bus's maker, and of no producer.
import { AsyncLocalStorage } from "node:async_hooks";
import diagnostics from "node:diagnostics_channel";
import { DeliveryError, EventBus } from "shardbus";
import { customStore } from "shardbus/stores/custom";
import { assert, recorder, test } from "./harness.mjs";

/** @type {AsyncLocalStorage<string>} */
const tenant = new AsyncLocalStorage();

/** Remembers who it was that called. @param {Set<string>} seen @param {string} what */
const note = (seen, what) => void seen.add(`${what} of ${tenant.getStore()}`);

test("every attempt, the first and later ones, is its maker's", async () => {
  for (const maker of [undefined, "maker"]) {
    /** @type {unknown[]} */
    const seen = [];
    const make = () =>
      new EventBus(
        async (_, { attempt }) => {
          seen.push(tenant.getStore());
          await undefined;
          seen.push(tenant.getStore());
          if (attempt < 3) throw new DeliveryError("no");
        },
        { batch: { maxDelayMs: 5 }, retry: { baseDelayMs: 1, maxDelayMs: 2 } },
      );
    const bus = maker === undefined ? make() : tenant.run(maker, make);
    await tenant.run("a", async () => bus.ingest(1));
    await tenant.run("b", () => bus.flush());
    await tenant.run("c", () => bus.close());
    assert.deepEqual(seen, Array(6).fill(maker));
  }
});

test("so is whatever else a bus calls", async () => {
  /** @type {Set<string>} */
  const seen = new Set();
  const called = (/** @type {string} */ what) => note(seen, what);
  /** @type {import("shardbus").BatchStore} */
  const store = {
    async open() {
      called("open");
      return ["1-x"];
    },
    async read() {
      called("read");
      return undefined;
    },
    async write() {
      called("write");
    },
    writeSync: () => called("writeSync"),
    async remove() {
      called("remove");
      throw new Error("no");
    },
    async close() {
      called("close");
    },
  };
  const bus = tenant.run("maker", () => {
    return new EventBus(() => {}, {
      maxEventBytes: 100,
      onDrop: () => called("onDrop"),
      onDelivered: () => called("onDelivered"),
      onStoreError: () => called("onStoreError"),
      store: customStore(store),
    });
  });
  await tenant.run("a", async () => {
    bus.ingest(1);
    bus.saveSync();
    await bus.flush();
    bus.ingest(2);
    await bus.flush();
    bus.ingestBatch(["x".repeat(200)]);
  });
  await tenant.run("b", () => bus.close());
  const calls = [
    ...["open", "read", "write", "writeSync", "remove", "close"],
    ...["onDrop", "onDelivered", "onStoreError"],
  ];
  assert.sameMembers(
    [...seen],
    calls.map((call) => `${call} of maker`),
  );
});

test("the `key` option runs in the producer's context", async () => {
  const sink = recorder();
  /** @type {unknown[]} */
  const seen = [];
  const bus = tenant.run("maker", () => {
    const key = () => {
      seen.push(tenant.getStore());
      return "key";
    };
    return new EventBus(sink.callback, { shards: 2, key });
  });
  tenant.run("a", () => bus.ingest(1));
  tenant.run("b", () => bus.ingest(1));
  await bus.close();
  assert.deepEqual(seen, ["a", "b"]);
});

test("a tracer's context of an attempt is seen in the callback", async () => {
  const channel = diagnostics.tracingChannel("shardbus:attempt");
  /** @type {AsyncLocalStorage<string>} */
  const span = new AsyncLocalStorage();
  /** @type {unknown[]} */
  const seen = [];
  channel.start.bindStore(span, () => "span");
  channel.subscribe(/** @type {any} */ ({ start() {} }));
  try {
    const bus = new EventBus(() => void seen.push(span.getStore()));
    bus.ingest(1);
    await bus.close();
    assert.deepEqual(seen, ["span"]);
  } finally {
    channel.start.unbindStore(span);
  }
});

// @ts-check
// A module that gets less memory than its buses may hold. It bounds the memory of this file's core.
import { EventBus } from "shardbus";
import { accountedStats, assert, HOUR_MS, test, thrown } from "./harness.mjs";
import { limitMemory } from "./memory.mjs";
import { MemoryStore } from "./memory-store.mjs";

limitMemory(100);

const large = { maxBytes: 2 ** 31 - 1, capacity: 1 << 20, batch: { maxDelayMs: HOUR_MS } };
/** Buses whose memory would not be given back otherwise. @type {EventBus[]} */
const open = [];

/** @param {import("shardbus").EventBusOptions<any>} [options] */
function makeBus(options) {
  /** @type {string[]} */
  const received = [];
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const bus = new EventBus(
    (batch) => {
      received.push(...batch);
    },
    { onDrop: (drop) => drops.push(drop), ...options },
  );
  open.push(bus);
  return { bus, received, drops };
}

/**
 * Offers events until one is refused, and then some more. Returns how many were accepted.
 *
 * @param {(nth: number) => boolean} offer
 */
function fill(offer) {
  let accepted = 0;
  let refused = 0;
  for (let nth = 0; refused < 200; nth++) {
    if (offer(nth)) accepted++;
    else refused++;
  }
  return accepted;
}

async function closeAll() {
  for (const bus of open.splice(0)) await bus.close();
}

for (const [what, length] of /** @type {[string, number][]} */ ([
  ["tiny", 1],
  ["small", 100],
  ["middling", 40_000],
  ["large", 250_000],
])) {
  for (const backpressure of /** @type {const} */ (["drop-oldest", "drop-newest"])) {
    test(`${what} events beyond the memory are refused as full (${backpressure})`, async () => {
      const { bus, received, drops } = makeBus({ ...large, backpressure });
      const neighbour = makeBus();
      const text = JSON.stringify("x".repeat(length));
      const accepted = fill((nth) => bus.ingestRaw(nth % 2 === 0 ? text : text.replace("x", "ü")));
      const stats = accountedStats(bus);
      assert.include(stats, { accepted, evicted: 0 });
      assert.deepEqual(stats.rejected, { ...stats.rejected, full: 200, oversize: 0, invalid: 0 });

      // The neighbour works, and its statistics are right.
      const isTaken = neighbour.bus.ingest("before");
      await bus.flush();
      assert.lengthOf(received, accepted);
      neighbour.bus.ingest("after");
      assert.isTrue(bus.ingest("again"));
      await closeAll();
      const expected = isTaken ? ['"before"', '"after"'] : ['"after"'];
      assert.deepEqual(neighbour.received, expected);
      assert.equal(received.at(-1), '"again"');
      const told = drops.filter(({ reason }) => reason === "full");
      assert.equal(
        told.reduce((sum, { count }) => sum + count, 0),
        200,
      );
      assert.lengthOf(drops, told.length);
    });
  }
}

test("a producer is told that there is no memory", async () => {
  const { bus, received } = makeBus({ ...large, shards: 16, backpressure: "fail-producer" });
  let accepted = 0;
  const error = thrown(() => {
    for (;;) if (bus.ingest({ text: "x".repeat(1000), accepted })) accepted++;
  });
  assert.equal(error.code, "ERR_BACKPRESSURE");
  assert.include(accountedStats(bus), { accepted });
  await closeAll();
  assert.lengthOf(received, accepted);
});

test("an event, a key and a payload to be routed that are larger than the memory are refused", async () => {
  const limits = { maxEventBytes: 1 << 30, maxKeyBytes: 1 << 30 };
  const batch = { ...large.batch, maxBytes: 1 << 30 };
  const { bus } = makeBus({ ...large, shards: 2, batch, ...limits });
  const text = "x".repeat(10_000_000);
  assert.isFalse(bus.ingest(text));
  assert.isFalse(bus.ingestRaw(new Uint8Array(10_000_000).fill(0x31)));
  assert.isFalse(bus.ingest(1, { key: text }));
  assert.equal(thrown(() => bus.shardFor(text)).code, "ERR_BACKPRESSURE");
  assert.equal(thrown(() => bus.shardFor(new Uint8Array(1e7))).code, "ERR_BACKPRESSURE");
  assert.deepInclude(accountedStats(bus).rejected, { full: 3 });
  assert.isBelow(bus.shardFor("short"), 2);
  await closeAll();
});

test("more shards than there is memory for are refused", async () => {
  const error = thrown(() => new EventBus(() => {}, { shards: 65_535 }));
  assert.include(error, { code: "ERR_INVALID_OPTION", option: "shards" });
  const { bus } = makeBus({ scaling: { maxShards: 65_535, autoScale: false } });
  assert.equal(thrown(() => bus.scaleUp(60_000)).reason, "no-memory");
  assert.isTrue(bus.ingest(1));
  await closeAll();
});

test("a batch of an earlier run that is larger than the memory stays in the store", async () => {
  const store = new MemoryStore();
  const { batches } = store;
  const key = "00000000000000000001-0000000000000001-0-0";
  batches.set(key, new Uint8Array(10_000_000));
  /** @type {string[]} */
  const errors = [];
  const { bus, received } = makeBus({
    ...large,
    batch: { ...large.batch, maxBytes: 1 << 20 },
    store,
    onStoreError: ({ message }) => errors.push(message),
  });
  bus.ingest("fresh");
  await bus.flush();
  assert.deepEqual(received, ['"fresh"']);
  assert.lengthOf(errors, 1);
  assert.include(errors[0], "stays there");
  assert.isTrue(batches.has(key));
  await closeAll();
});

test("a flush that there is no memory to copy for the store sends all the same", async () => {
  const store = new MemoryStore();
  const { bus, received } = makeBus({ ...large, store, onStoreError: () => {} });
  const text = JSON.stringify("x".repeat(10_000));
  const accepted = fill(() => bus.ingestRaw(text));
  await bus.flush();
  assert.lengthOf(received, accepted);
  await closeAll();
});

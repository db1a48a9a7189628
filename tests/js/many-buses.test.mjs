// @ts-check
import { EventBus } from "shardbus";
import { assert, HOUR_MS, partOf, recorder, sum, test } from "./harness.mjs";
import { hasWebAssembly, watchMemory } from "./memory.mjs";

const memoryBytes = watchMemory();

test("an event larger than any before arrives intact in memory that was freed", async () => {
  const first = new EventBus(() => {}, { batch: { maxDelayMs: HOUR_MS } });
  for (let n = 0; n < 200; n++) first.ingest("x".repeat(30_000));
  await first.close();
  const before = memoryBytes();
  const bus = new EventBus(() => {}, { batch: { maxDelayMs: HOUR_MS }, shards: 2 });
  const events = ["x".repeat(100_000), "é".repeat(100_000), "y".repeat(200_001)];
  for (const event of events) bus.ingest(event, { key: "k" });
  const bytes = new TextEncoder().encode(JSON.stringify("z".repeat(250_000)));
  bus.ingestRaw(bytes, { key: "k" });
  assert.deepEqual(
    bus.drain().flatMap((batch) => batch.events()),
    [...events, "z".repeat(250_000)],
  );
  assert.equal(memoryBytes(), before, "there was no room, so this tests nothing");
});

test("many buses, one after another, take no more memory than a few", async () => {
  const count = partOf(200, 40);
  /** @type {number[]} */
  const sizes = [];
  // Held, so that nothing is freed by the garbage collector: `close` has to.
  const closed = new Set();
  for (let i = 0; i < count; i++) {
    const bus = new EventBus(() => {}, { maxBytes: 4 << 20, capacity: 4096, onDrop: () => {} });
    for (let n = 0; n < 64; n++) bus.ingest("x".repeat(30_000));
    if (i % 3 === 0) bus.ingest("not sent");
    await bus.close(i % 3 === 0 ? { timeoutMs: 0 } : {});
    closed.add(bus);
    sizes.push(memoryBytes());
  }
  assert.isAbove(sizes[0] ?? 0, 1 << 20);
  // Forty of them held 80 MB. Without WebAssembly memory grows by halves.
  assert.isAtMost(sizes.at(-1) ?? 0, hasWebAssembly ? 8 << 20 : 12 << 20);
  assert.equal(closed.size, count);
});

test("two hundred buses at the same time keep their events apart", async () => {
  const sinks = Array.from({ length: 200 }, () => recorder());
  const buses = sinks.map(({ callback }) => new EventBus(callback));
  for (let i = 0; i < 10; i++) {
    for (const [b, bus] of buses.entries()) bus.ingest(b);
  }
  // Half of them free their handles while the others are in use.
  await Promise.all(buses.filter((_, b) => b % 2 === 0).map((bus) => bus.close()));
  const more = new EventBus(() => {});
  more.ingest("another");
  await Promise.all(buses.map((bus) => bus.close()));
  for (const [b, sink] of sinks.entries()) assert.deepEqual(sink.delivered(), Array(10).fill(b));
  assert.equal(sum(buses.map((bus) => bus.stats().delivered)), 2000);
  assert.deepEqual(
    more.drain().flatMap((batch) => batch.events()),
    ["another"],
  );
});

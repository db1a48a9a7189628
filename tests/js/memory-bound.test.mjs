// @ts-check
// The bound on memory that docs/sizing.md states, with events of every size.
import { hasWebAssembly, memoryBound, watchMemory } from "./memory.mjs";

const memory = watchMemory();

const { DeliveryError, EventBus } = await import("shardbus");
const { assert, partOf, test, within } = await import("./harness.mjs");

const MiB = 1 << 20;
/**
 * The documented bound of a bus's memory. Without WebAssembly that grows by half at a time.
 *
 * @param {number} maxBytes
 * @param {number} shards
 */
const bound = (maxBytes, shards, events = 0) =>
  memoryBound(maxBytes, shards, events) * (hasWebAssembly ? 1 : 1.5);

const longest = "x".repeat(250_000);
/** @type {{ [kind: string]: (random: () => number, phase: number) => number }} */
const lengths = {
  "of all sizes": (random) => Math.exp(random() * Math.log(longest.length)),
  "of half a page": () => 33_000,
  "of two sizes": (random) => (random() < 0.5 ? 10 : 130_000),
  "of other sizes in every phase": (_, phase) => [100, 60_000, 240_000][phase % 3] ?? 1,
};

// The memory never shrinks, so larger bounds come later.
for (const shards of [1, 4, 16]) {
  for (const [kind, lengthOf] of Object.entries(lengths)) {
    test(`memory stays within its bound: events ${kind}, ${shards} shards`, async () => {
      const seed = Number(process.env.SHARDBUS_SEED ?? Date.now()) >>> 0;
      let state = seed;
      const random = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      let isDown = false;
      const bus = new EventBus(
        async () => {
          await null;
          if (isDown || random() < 0.3) throw new DeliveryError("no", { unavailable: isDown });
        },
        {
          shards,
          retry: { baseDelayMs: 1, maxDelayMs: 1, maxAttempts: 1000 },
          onDrop: () => {},
        },
      );
      let events = 0;
      for (let phase = 0; phase < 9; phase++) {
        isDown = phase % 3 === 1;
        // Five of them offer more than the bus has room for.
        for (let turn = 0; turn < partOf(12, 5); turn++) {
          for (let bytes = 0; bytes < 2 * MiB; ) {
            const length = Math.floor(lengthOf(random, phase));
            bus.ingestRaw(`"${longest.slice(0, length)}"`);
            bytes += length + 30;
          }
          await new Promise((resolve) => setTimeout(resolve));
          const { pending, inFlight } = bus.stats();
          events = Math.max(events, pending + inFlight);
        }
      }
      assert.isAtMost(memory(), bound(8 * MiB, shards, events), `seed ${seed}`);
      isDown = false;
      await within(bus.close({ timeoutMs: 20_000 }), () => "the bus does not close", 30_000);
      assert.equal(bus.stats().pending + bus.stats().inFlight, 0);
    });
  }
}

test("memory taken by a burst is used again, by other buses too", async () => {
  const before = memory();
  for (let i = 0; i < 5; i++) {
    const bus = new EventBus(() => {}, { scheduler: "manual", onDrop: () => {} });
    for (let n = 0; n < 40; n++) bus.ingestRaw(`"${longest}"`);
    await bus.close();
  }
  assert.equal(memory(), before);
});

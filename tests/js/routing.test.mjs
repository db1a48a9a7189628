// @ts-check
import { EventBus } from "shardbus";
import { assert, test, vectors } from "./harness.mjs";

/** A bus that sends nothing by itself. @param {import("shardbus").EventBusOptions<any>} options */
const quietBus = (options) => new EventBus(() => {}, { scheduler: "manual", ...options });

/** @param {import("shardbus").Receipt} receipt */
const shardOf = (receipt) => ("shard" in receipt ? receipt.shard : receipt.rejected);

/** @type {{ text: string, shards: Record<string, number> }[]} */
const routed = vectors.events.flatMap(({ text, shards }) =>
  text !== undefined && shards !== undefined
    ? [{ text, shards: /** @type {Record<string, number>} */ (shards) }]
    : [],
);

/** @param {string} text */
function isCompactJson(text) {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}

test("events with the same key share a shard, in order", () => {
  const bus = quietBus({ shards: 4, key: (event) => event.user });
  const users = ["ann", "bob", "", "ünal", "zoë", "😀", "dave", "eve"];
  for (let i = 0; i < 400; i++) {
    const user = users[i % users.length];
    // Texts of every kind: each has its own way into the core.
    if (i % 3 === 0) bus.ingestWithReceipt({ user, i });
    else bus.ingest({ user, i, text: i % 5 === 0 ? "ü" : "u" });
  }
  /** @type {Map<string, { shard: number, seen: number[] }>} */
  const byUser = new Map();
  for (const batch of bus.drain()) {
    for (const { user, i } of batch.events()) {
      const { shard, seen } = byUser.get(user) ?? { shard: batch.shard, seen: [] };
      assert.equal(batch.shard, shard, `events of ${user} are in several shards`);
      seen.push(i);
      byUser.set(user, { shard, seen });
    }
  }
  assert.sameMembers([...byUser.keys()], users);
  for (const { seen } of byUser.values()) {
    assert.lengthOf(seen, 50);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  }
  assert.isAbove(new Set([...byUser.values()].map(({ shard }) => shard)).size, 1);
});

test("a key is hashed as its UTF-8 bytes, whichever way it comes in", () => {
  for (const { text, shards } of routed) {
    const expected = shards["7"];
    const bus = quietBus({ shards: 7, key: () => text });
    const perCall = quietBus({ shards: 7, key: () => "another" });
    bus.ingest({ by: "option" });
    bus.ingest({ by: "option, without ASCII: ü" });
    perCall.ingest({ by: "call" }, { key: text });
    perCall.ingestRaw('{"by":"call"}', { key: text });
    perCall.ingestRaw(new TextEncoder().encode('{"by":"call"}'), { key: text });
    perCall.ingestBatch([1, 2], { key: text });
    assert.equal(shardOf(perCall.ingestWithReceipt("by call", { key: text })), expected);
    assert.deepEqual([...new Set(bus.drain().map((batch) => batch.shard))], [expected], text);
    assert.deepEqual([...new Set(perCall.drain().map((batch) => batch.shard))], [expected], text);
  }
});

test("without a key an event is routed by its bytes", () => {
  for (const { text, shards } of routed) {
    const bus = quietBus({ shards: 7, key: () => null });
    const unkeyed = quietBus({ shards: 7, key: () => undefined });
    bus.ingestRaw(text);
    bus.ingestRaw(new TextEncoder().encode(text));
    unkeyed.ingestRaw(text);
    const batches = [...bus.drain(), ...unkeyed.drain()];
    assert.deepEqual([...new Set(batches.map((batch) => batch.shard))], [shards["7"]], text);
  }
});

test("a receipt names the shard", () => {
  for (const { text, shards } of routed.filter(({ text }) => isCompactJson(text))) {
    for (const [count, expected] of Object.entries(shards)) {
      if (Number(count) > 1024) continue;
      const bus = quietBus({ shards: Number(count), capacity: 2 });
      assert.equal(shardOf(bus.ingestWithReceipt(JSON.parse(text))), expected, text);
    }
  }
});

test("keys that were chosen for one shard are spread by a secret seed", () => {
  const shards = 16;
  const plain = quietBus({ shards });
  /** @type {string[]} */
  const chosen = [];
  for (let i = 0; chosen.length < 500; i++) {
    if (plain.shardFor(`user-${i}`) === 3) chosen.push(`user-${i}`);
  }
  const [random = 1n] = crypto.getRandomValues(new BigUint64Array(1));
  for (const routingSeed of [1n, (1n << 64n) - 1n, 1n << 32n, random]) {
    const bus = quietBus({ shards, routingSeed });
    const counts = new Array(shards).fill(0);
    for (const key of chosen) {
      const shard = shardOf(bus.ingestWithReceipt(1, { key }));
      assert.equal(shard, bus.shardFor(key));
      counts[Number(shard)]++;
    }
    // By chance, one in a billion has so many.
    assert.isBelow(Math.max(...counts), 90, `seed ${routingSeed}`);
  }
  const again = quietBus({ shards, routingSeed: random });
  const same = quietBus({ shards, routingSeed: random });
  for (const key of chosen) assert.equal(again.shardFor(key), same.shardFor(key));
  const zero = quietBus({ shards, routingSeed: 0n });
  for (const key of chosen) assert.equal(zero.shardFor(key), 3);
});

// @ts-check
// Keys that are longer than they may be.
import { EventBus } from "shardbus";
import { accountedStats, assert, test, thrown } from "./harness.mjs";

const quiet = /** @type {const} */ ({ scheduler: "manual", shards: 4 });

for (const [what, character, bytes] of /** @type {[string, string, number][]} */ ([
  ["ASCII", "k", 1],
  ["two bytes a character", "ü", 2],
  ["three bytes a character", "€", 3],
])) {
  test(`a key of ${what} may have maxKeyBytes bytes, and no more`, () => {
    /** @type {import("shardbus").Drop<any>[]} */
    const drops = [];
    const onDrop = (/** @type {import("shardbus").Drop<any>} */ drop) => void drops.push(drop);
    const bus = new EventBus(() => {}, { ...quiet, maxKeyBytes: 60, onDrop });
    const [right, wrong] = [60 / bytes, 60 / bytes + 1].map((count) => character.repeat(count));
    for (let i = 0; i < 100; i++) assert.isTrue(bus.ingest({ i }, { key: right }));
    for (const use of [
      () => bus.ingest(1, { key: wrong }),
      () => bus.ingestRaw("1", { key: wrong }),
      () => bus.ingestRaw(new Uint8Array([0x31]), { key: wrong }),
      () => bus.shardFor(/** @type {string} */ (wrong)),
    ]) {
      const error = thrown(use);
      assert.include(error, { code: "ERR_EVENT_TOO_LARGE", option: "maxKeyBytes", limit: 60 });
      assert.match(error.message, /key has more than 60 bytes.*`maxKeyBytes`/);
    }
    assert.deepEqual(bus.ingestWithReceipt(1, { key: wrong }), { rejected: "oversize" });
    assert.deepEqual(bus.ingestBatch([1, 2], { key: wrong }), { accepted: 0, rejected: 2 });
    const stats = accountedStats(bus);
    assert.include(stats, { offered: 106, accepted: 100 });
    assert.equal(stats.rejected.oversize, 6);
    bus.drain();
    assert.lengthOf(drops, 1);
    assert.include(drops[0], { reason: "oversize", count: 6 });
    assert.include(drops[0]?.error, { option: "maxKeyBytes" });
  });
}

test("by default a key has at most 1 KiB", () => {
  const bus = new EventBus(() => {}, { ...quiet, onDrop: () => {} });
  assert.isTrue(bus.ingest(1, { key: "k".repeat(1024) }));
  assert.equal(thrown(() => bus.ingest(1, { key: "k".repeat(1025) })).option, "maxKeyBytes");
});

test("where there is nothing to route, keys of any length are not looked at", () => {
  const bus = new EventBus(() => {}, { scheduler: "manual" });
  assert.isTrue(bus.ingest(1, { key: "k".repeat(100_000) }));
});

test("limits just below 2 GiB accept values below them", async () => {
  const most = 2 ** 31 - 1;
  /** @type {string[]} */
  const received = [];
  const bus = new EventBus((batch) => void received.push(...batch), {
    shards: 2,
    maxBytes: most,
    maxEventBytes: most - 2,
    maxKeyBytes: most,
    batch: { maxBytes: 2 ** 32 - 1 },
  });
  assert.isTrue(bus.ingest("ü"));
  assert.isTrue(bus.ingestRaw(new Uint8Array([0x31]), { key: "k" }));
  assert.isTrue(bus.ingestRaw("2"));
  assert.isBelow(bus.shardFor(new Uint8Array(3)), 2);
  await bus.close();
  assert.sameMembers(received, ['"ü"', "1", "2"]);
});

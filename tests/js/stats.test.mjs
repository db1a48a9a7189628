// @ts-check
// Each number of `stats()` under its own name: here no two of a shard are the same.
import { EventBus } from "shardbus";
import { accountedStats, assert, HOUR_MS, hang, recorder, succeed, test } from "./harness.mjs";

test("each number of a shard is the one that its name says", async () => {
  const sink = recorder([succeed, hang]);
  const bus = new EventBus(sink.callback, {
    shards: 3,
    capacity: 16,
    scaling: { autoScale: false, minShards: 1 },
    key: () => "k",
    batch: { adaptive: false, maxSize: 11, maxDelayMs: HOUR_MS },
    onDrop: () => {},
  });
  const id = bus.shardFor("k");
  const offer = (/** @type {number} */ count) => bus.ingestBatch(Array(count).fill("four"));
  // Seven are delivered, two are in flight, and of the others the last fifteen fit.
  offer(7);
  await bus.flush();
  offer(2);
  void bus.flush();
  await sink.calls(2);
  offer(15 + 5);
  assert.deepEqual(accountedStats(bus).shards[id], {
    id,
    state: "active",
    accepted: 29,
    full: 0,
    sampled: 0,
    evicted: 5,
    pending: 15,
    inFlight: 2,
    bytes: 15 * '"four"'.length,
    nextSequence: 9,
    batchTarget: 11,
  });
  sink.log[1]?.release();
  await bus.close();
});

test("a shard's rejections are counted by reason", () => {
  for (const [reason, other, backpressure] of /** @type {const} */ ([
    ["full", "sampled", "drop-newest"],
    ["sampled", "full", { sample: 3 }],
  ])) {
    const bus = new EventBus(() => {}, {
      scheduler: "manual",
      capacity: 64,
      backpressure,
      onDrop: () => {},
    });
    const { rejected } = bus.ingestBatch(Array(200).fill("x"));
    const stats = accountedStats(bus);
    assert.deepInclude(stats.shards[0], { [reason]: rejected, [other]: 0 });
    assert.deepInclude(stats.rejected, { [reason]: rejected, [other]: 0 });
  }
});

// @ts-check
// One bad event among 1,000, for a receiver that stores the others and says so: the package at its
// defaults, and a receiver in a process of its own.
import { DeliveryError, EventBus } from "shardbus";
import { accountedStats, assert, it } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";

const COUNT = 1000;
const POISON = 123;

it("a bad event is abandoned alone; the others are delivered, each sent no more than it must be", async (t) => {
  const receiver = await startReceiver();
  await receiver.become("picky");
  /** @type {import("shardbus").Drop<any>[]} */
  const drops = [];
  const bus = new EventBus(
    async (batch, { signal }) => {
      const response = await fetch(receiver.url, { method: "POST", body: batch.body, signal });
      if (!response.ok) throw DeliveryError.fromResponse(response);
      const { items } = /** @type {{ items: { status: number, error?: string }[] }} */ (
        await response.json()
      );
      const indexed = items.map((item, index) => ({ index, ...item }));
      return {
        rejected: indexed.filter(({ status }) => status === 400),
        retry: indexed.filter(({ status }) => status === 429).map(({ index }) => index),
      };
    },
    { onDrop: (drop) => drops.push(drop) },
  );
  try {
    for (let n = 0; n < COUNT; n++) bus.ingest({ n, ...(n === POISON && { poison: true }) });
    await bus.close();
    const { requests, sent, stored } = await receiver.report();
    const { delivered, abandoned } = accountedStats(bus);
    t.diagnostic(JSON.stringify({ requests, sent, delivered, abandoned }));
    assert.deepEqual([requests, sent], [2, 1100]);
    assert.deepEqual([delivered, abandoned.permanent], [COUNT - 1, 1]);
    assert.lengthOf(stored, COUNT - 1, "no repeats");
    assert.sameMembers(
      stored,
      [...Array(COUNT).keys()].filter((n) => n !== POISON),
    );
    assert.lengthOf(drops, 1);
    const [drop] = drops;
    assert.include(drop, { reason: "permanent", attempts: 1, error: "the mapping does not fit" });
    assert.deepEqual(drop?.batch?.events(), [{ n: POISON, poison: true }]);
  } finally {
    await bus.close({ timeoutMs: 0 });
    await receiver.stop();
  }
});

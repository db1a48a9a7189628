// @ts-check
// Batches of an earlier run are sent beside new events: a real receiver and a real disk.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { accountedStats, assert, eventually, it } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";
import { eventOf, produce, sendTo } from "./traffic.mjs";

const BATCHES = 1500;
const EVENTS = 2 * BATCHES;

it("1,500 batches of an earlier run hold up no new event, and cost none its room", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-backlog-"));
  const receiver = await startReceiver();
  try {
    const down = () => {
      throw new Error("down");
    };
    const batch = { minSize: 2, maxSize: 2 };
    const earlier = new EventBus(down, { store: fileStore(directory), batch, timeoutMs: 60_000 });
    for (let n = 0; n < EVENTS; n++) earlier.ingest(eventOf(n));
    assert.equal((await earlier.close({ timeoutMs: 0 })).drained, EVENTS);

    /** @type {import("shardbus").Drop<any>[]} */
    const drops = [];
    const bus = new EventBus(sendTo(receiver.url), {
      store: fileStore(directory),
      maxBytes: 1 << 20,
      onDrop: (drop) => drops.push(drop),
    });
    const stop = produce(bus, 900, EVENTS);
    await eventually(
      () => bus.stats().restored === EVENTS,
      () => JSON.stringify(bus.stats()),
      120_000,
    );
    const count = stop();
    await bus.flush();
    await bus.close();
    const { delivered } = accountedStats(bus);
    const { stored } = await receiver.report();
    const isFresh = (/** @type {number} */ n) => n >= EVENTS;
    const lastOld = stored.findLastIndex((n) => !isFresh(n));
    const between = stored.slice(0, lastOld).filter(isFresh).length;
    t.diagnostic(JSON.stringify({ delivered, fresh: count, between, held: drops.length }));
    assert.isEmpty(drops);
    assert.equal(delivered, EVENTS + count);
    assert.lengthOf(stored, EVENTS + count, "each once");
    assert.isAbove(between, 0, "what is new arrives beside what is old");
    const old = stored.filter((n) => !isFresh(n));
    assert.deepEqual(old, [...Array(EVENTS).keys()], "in the order of the earlier run");
  } finally {
    await receiver.stop();
    await rm(directory, { recursive: true });
  }
});

// @ts-check
// The component as JavaScript routes events to the published shards.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { loadCore } from "./built.mjs";

const file = new URL("../../tests/vectors/routing.json", import.meta.url);
/** @type {{ text: string, shards?: Record<string, number> }[]} */
const events = JSON.parse(await readFile(file, "utf8")).events;

test("the component as JavaScript routes events to the published shards", async () => {
  const { eventBus } = await loadCore();
  /** @type {Map<string, any>} */
  const buses = new Map();
  let routes = 0;
  for (const event of events) {
    for (const [count, shard] of Object.entries(event.shards ?? {})) {
      const bus =
        buses.get(count) ?? eventBus.Bus.create({ shards: Number(count), capacity: 2 }, 1n);
      buses.set(count, bus);
      const id = `${JSON.stringify(event).slice(0, 100)} of ${count}`;
      assert.equal(bus.shardFor(new TextEncoder().encode(event.text)), shard, id);
      routes++;
    }
  }
  assert.ok(routes > 50, `${routes} routes`);
});

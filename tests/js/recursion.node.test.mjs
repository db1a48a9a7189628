// @ts-check
// A recursion without end that calls the bus at every level harms no bus: the program gets the engine's
// own error.
import { EventBus as WasmBus } from "shardbus";
import { EventBus as JsBus } from "shardbus/js";
import { accountedStats, assert, test } from "./harness.mjs";

/** The call at the depth `d`. @type {Record<string, (bus: WasmBus<any>, d: number) => unknown>} */
const calls = {
  ingest: (bus, d) => bus.ingest({ d }),
  "ingest with a key": (bus, d) => bus.ingest({ d }, { key: `key ${d}` }),
  "ingest of what is not ASCII": (bus, d) => bus.ingest({ d, text: "grüße" }),
  "ingest of what is invalid": (bus) => {
    try {
      bus.ingest(1n);
    } catch (error) {
      if (/** @type {any} */ (error).code !== "ERR_INVALID_EVENT") throw error;
    }
  },
  "ingestRaw of text": (bus, d) => bus.ingestRaw(String(d)),
  "ingestRaw of bytes": (bus) => bus.ingestRaw(new Uint8Array([49])),
  ingestWithReceipt: (bus, d) => bus.ingestWithReceipt({ d }),
  ingestBatch: (bus, d) => bus.ingestBatch([{ d }, { d }]),
  shardFor: (bus, d) => bus.shardFor(`key ${d}`),
  stats: (bus) => bus.stats(),
  drain: (bus) => bus.drain(),
};

/** A function that calls `call`, and then itself, with so many variables: frames differ in size. */
const recursion = (/** @type {number} */ variables) => {
  const names = Array.from({ length: variables }, (_, i) => `a${i} = depth + ${i}`);
  const body = `let ${names.join(", ")}; call(depth); self(self, call, depth + 1); return a0;`;
  return new Function("self", "call", "depth", body);
};

for (const [name, EventBus] of Object.entries({ shardbus: WasmBus, "shardbus/js": JsBus })) {
  for (const [what, call] of Object.entries(calls)) {
    test(`${name}: ${what}`, async () => {
      const bus = new EventBus(() => {}, { shards: 4, onDrop: () => {} });
      const other = new EventBus(() => {});
      for (const variables of [1, 9, 30]) {
        const recurse = recursion(variables);
        assert.throws(() => recurse(recurse, (/** @type {number} */ d) => call(bus, d), 0));
        await undefined;
        accountedStats(bus);
        bus.drain();
      }
      other.ingest("a");
      bus.ingest("b");
      assert.isAtLeast((await bus.close()).delivered, 1);
      accountedStats(bus);
      assert.equal((await other.close()).delivered, 1);
    });
  }
}

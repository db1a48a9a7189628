// @ts-check
const assert = require("node:assert/strict");
const { EventBus } = require("shardbus/js");

// Not needed by anything of this package.
Reflect.deleteProperty(globalThis, "WebAssembly");

/** @type {unknown[]} */
const received = [];
const bus = new EventBus(async (batch) => {
  received.push(...batch.events());
});
const events = [{ n: 1 }, { n: 2 }, { n: 3 }];
for (const event of events) assert.equal(bus.ingest(event), true);
bus.close().then(() => assert.deepEqual(received, events));

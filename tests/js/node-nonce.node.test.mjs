// @ts-check
// The entry for Node makes the ids of a run without Node's cryptography, which takes long to load.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

test("sending a batch does not load Node's cryptography", async () => {
  const output = await run(`
    import { EventBus } from "shardbus";
    const bus = new EventBus(() => {});
    bus.ingest("an event");
    await bus.flush();
    console.log(process.moduleLoadList.filter((name) => name.includes("webcrypto")));
  `);
  assert.equal(output, "[]\n");
});

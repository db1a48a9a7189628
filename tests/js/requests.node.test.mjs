// @ts-check
// The scheduler "manual" and `waitUntil`, in entries that come without them.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

// By its file: Node finds an entry of its own.
const index = 'new URL("./index.js", import.meta.resolve("shardbus/slim"))';

/** Prints the codes of the errors of each way to ask for it. @param {string} entry */
const refusals = (entry) => `
  const { EventBus } = await import(${entry});
  ${entry === index ? "" : "await initializeSlim();"}
  for (const attempt of [
    () => new EventBus(() => {}, { scheduler: "manual" }),
    () => new EventBus(() => {}, { waitUntil: true }),
    () => new EventBus(() => {}).waitUntil({ waitUntil() {} }),
  ]) {
    try {
      attempt();
    } catch ({ code, message }) {
      console.log(code, message.includes('import "shardbus/requests"'));
    }
  }
`;

const initializeSlim = `
  async function initializeSlim() {
    const { readFileSync } = await import("node:fs");
    const { initialize } = await import("shardbus/slim");
    initialize(readFileSync(new URL(import.meta.resolve("shardbus/bus.wasm"))));
  }
`;

for (const [name, entry] of [
  ["the entry for pages", index],
  ["shardbus/slim", '"shardbus/slim"'],
]) {
  test(`${name} refuses to work by requests, and says what to import`, async () => {
    const output = await run(initializeSlim + refusals(entry));
    assert.equal(output, "ERR_INVALID_OPTION true\n".repeat(3));
  });

  test(`${name} works by requests beside shardbus/requests`, async () => {
    const output = await run(`import "shardbus/requests"; ${initializeSlim} ${refusals(entry)}
      const awaited = [];
      const bus = new EventBus((batch) => console.log(batch.events()), { scheduler: "manual" });
      bus.ingest("an event");
      bus.waitUntil({ waitUntil: (promise) => awaited.push(promise) });
      await Promise.all(awaited);
    `);
    assert.equal(output, "[ 'an event' ]\n");
  });
}

test("the CommonJS of shardbus/slim works by requests", async () => {
  const output = await run(`
    import { readFileSync } from "node:fs";
    import { createRequire } from "node:module";
    const { EventBus, initialize } = createRequire(import.meta.resolve("shardbus/slim"))("./slim.cjs");
    initialize(readFileSync(new URL(import.meta.resolve("shardbus/bus.wasm"))));
    const bus = new EventBus((batch) => console.log(batch.events()), { scheduler: "manual" });
    bus.ingest("an event");
    await bus.flush();
  `);
  assert.equal(output, "[ 'an event' ]\n");
});

// @ts-check
// The package's source maps, as Node reads them. Node only.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

test("with source maps, stack traces lead to the TypeScript", async () => {
  const output = await run(`
    process.setSourceMapsEnabled(true);
    const { EventBus } = await import("shardbus");
    const { httpSink } = await import("shardbus/sinks/http");
    for (const cause of [() => new EventBus(1), () => httpSink("nowhere")]) {
      try { cause(); } catch (error) { console.log(error.stack); }
    }
  `);
  assert.match(output, /pkg-js\/src\/event-bus\.ts:\d+:\d+/);
  assert.match(output, /pkg-js\/src\/sinks\/http\.ts:\d+:\d+/);
});

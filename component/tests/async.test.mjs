// @ts-check
// The component `async` in wasmtime, called by `async/driver`, with `async/sink` for its sink; and as
// JavaScript in Node.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { node24, node26 } from "../../tests/bundlers/runtimes.mjs";
import { BUILT } from "./built.mjs";

const EXPECTED = `\
flush: delivered 25, pending 0
background: delivered 10, abandoned 0, batches 1
outcomes: delivered 4, abandoned 1
ready: 7 at once, 100 with room
timeout: delivered 0, abandoned 1, pending 0
close: delivered 15, then Some("closed")
options: Some("has-store")
`;

const IN_NODE = `\
flush: 1001 delivered
sink: 1001 events, 1001 different
close: 1 delivered
`;

test("the asynchronous component sends beside its caller, waits for room, and cancels attempts", async () => {
  const wasmtime = process.env.SHARDBUS_WASMTIME ?? "wasmtime";
  const args = ["run", "-Sp3", "-Wcomponent-model-async", join(BUILT, "async-driven.wasm")];
  const { stdout } = await promisify(execFile)(wasmtime, args, { timeout: 120_000 });
  assert.equal(stdout, EXPECTED);
});

// Node 20 has no `WebAssembly.Suspending`.
for (const [name, node] of [
  ["Node 24", node24()],
  ["Node 26", node26()],
]) {
  test(`the asynchronous component as JavaScript delivers each event once through an outage: ${name}`, async () => {
    const program = fileURLToPath(new URL("async-in-node.mjs", import.meta.url));
    const { stdout, stderr } = await promisify(execFile)(node, [program], { timeout: 120_000 });
    assert.equal(stdout, IN_NODE);
    assert.equal(stderr, "", "Node warns of timers that are too long for it");
  });
}

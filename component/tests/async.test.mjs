// @ts-check
// The component `async` in wasmtime, called by `async/driver`, with `async/sink` for its sink.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
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

test("the asynchronous component sends beside its caller, waits for room, and cancels attempts", async () => {
  const wasmtime = process.env.SHARDBUS_WASMTIME ?? "wasmtime";
  const args = ["run", "-Sp3", "-Wcomponent-model-async", join(BUILT, "async-driven.wasm")];
  const { stdout } = await promisify(execFile)(wasmtime, args, { timeout: 120_000 });
  assert.equal(stdout, EXPECTED);
});

// @ts-check
// A core that cannot be compiled: for runtimes that compile it.
import { EventBus } from "shardbus";
import { assert, test, thrown } from "./harness.mjs";
import { compileWith } from "./memory.mjs";

test("where more than 4 KiB cannot be compiled at once, a bus cannot be made", () => {
  const undo = compileWith((bytes) => {
    if (bytes.byteLength > 4096) throw new RangeError("larger than 4KB");
    return undefined;
  });
  assert.equal(thrown(() => new EventBus(() => {})).code, "ERR_WASM_UNAVAILABLE");
  undo();
});

test("where WebAssembly cannot be compiled, a bus's error names the remedy", () => {
  const refusal = new WebAssembly.CompileError("refused by Content-Security-Policy");
  const undo = compileWith(() => {
    throw refusal;
  });
  for (let i = 0; i < 2; i++) {
    const error = thrown(() => new EventBus(() => {}));
    assert.include(error, { name: "WasmUnavailableError", code: "ERR_WASM_UNAVAILABLE" });
    assert.strictEqual(error.cause, refusal);
    assert.include(error.message, "wasm-unsafe-eval");
    assert.include(error.message, "shardbus/js");
  }
  assert.equal(thrown(() => new EventBus(() => {}, { shards: -1 })).code, "ERR_INVALID_OPTION");
  undo();
});

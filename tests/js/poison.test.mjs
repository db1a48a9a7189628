// @ts-check
// How a WebAssembly module that cannot be compiled, or that fails later, shows. The order of these
// tests matters: there is one module, and the last of them breaks it for good.
import { EventBus, isShardbusError } from "shardbus";
import { assert, HOUR_MS, hang, idle, recorder, rejection, test, thrown } from "./harness.mjs";

const { Module } = WebAssembly;
const slow = { batch: { maxDelayMs: HOUR_MS } };

/** Makes whoever compiles a module get what `compile` returns. @param {(bytes: any) => any} compile */
function compileWith(compile) {
  WebAssembly.Module = /** @type {any} */ (
    function FakeModule(/** @type {BufferSource} */ bytes) {
      return compile(bytes);
    }
  );
}

test("where WebAssembly cannot be compiled, a bus says so, and does when it can", async () => {
  const refusal = new WebAssembly.CompileError("refused by Content-Security-Policy");
  compileWith(() => {
    throw refusal;
  });
  for (let i = 0; i < 2; i++) {
    const error = thrown(() => new EventBus(() => {}));
    assert.include(error, { name: "WasmUnavailableError", code: "ERR_WASM_UNAVAILABLE" });
    assert.strictEqual(error.cause, refusal);
    assert.include(error.message, "wasm-unsafe-eval");
  }
  assert.equal(thrown(() => new EventBus(() => {}, { shards: -1 })).code, "ERR_INVALID_OPTION");
});

test("after a trap every call says so, and nothing fails anywhere else", async () => {
  // The core does not trap, so it is given less memory than it needs.
  const limit = 40;
  compileWith((bytes) => new Module(withMemoryLimit(new Uint8Array(bytes), limit)));
  const sink = recorder([], hang);
  const bus = new EventBus(sink.callback, { maxBytes: 1 << 30, capacity: 1 << 20, ...slow });
  const other = new EventBus(sink.callback, { maxBytes: 1000, ...slow });
  WebAssembly.Module = Module;
  bus.ingest("sent");
  other.ingest("x".repeat(900));
  const waits = [bus.flush(), other.flush(), other.ready()];
  const calls = await sink.calls(2);
  // No timer can fire before the trap: from here to there it is all one turn.
  waits.push(bus.flush({ timeoutMs: 1 }), other.flush({ timeoutMs: 1 }));
  const rejections = waits.map(rejection);

  // So few at a time that they cross in a turn of the bus's own, where nobody could catch anything.
  /** @type {any} */
  let trap;
  for (let turn = 0; turn < 1000 && trap === undefined; turn++) {
    try {
      for (let i = 0; i < 50; i++) bus.ingest("x".repeat(500));
    } catch (error) {
      trap = error;
    }
    await Promise.resolve();
  }
  assert.include(trap, { name: "PoisonedError", code: "ERR_POISONED" });
  assert.instanceOf(trap.cause, WebAssembly.RuntimeError);
  assert.isTrue(isShardbusError(trap));

  for (const dead of [bus, other]) {
    for (const use of [
      () => dead.ingest(1),
      () => dead.ingest(undefined),
      () => dead.ingest("x".repeat(100_000)),
      () => dead.ingestRaw("1"),
      () => dead.ingestRaw(new Uint8Array([0x31])),
      () => dead.ingestBatch([1]),
      () => dead.ingestWithReceipt(1),
      () => dead.drain(),
      () => dead.stats(),
      () => new EventBus(() => {}),
    ]) {
      const error = thrown(use);
      assert.equal(error.code, "ERR_POISONED", String(use));
      assert.strictEqual(error.cause, trap.cause);
    }
    for (const use of [
      () => dead.flush(),
      () => dead.ready(),
      () => dead.close(),
      () => dead.close(),
    ]) {
      assert.equal((await rejection(use())).code, "ERR_POISONED", String(use));
    }
  }

  await idle();
  for (const call of calls) call.release();
  for (const error of await Promise.all(rejections)) assert.equal(error.code, "ERR_POISONED");
  await Promise.all([bus.settled(), other.settled()]);
  // Whatever else went wrong would show as an uncaught error.
  await idle();
});

/**
 * The module with a bound on its memory, in pages of 64 KiB.
 *
 * @param {Uint8Array} bytes
 * @param {number} max at most 127
 */
function withMemoryLimit(bytes, max) {
  const MEMORY_SECTION = 5;
  let at = 8;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = /** @type {number} */ (bytes[at++]);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const start = at;
    const id = varint();
    const end = varint() + at;
    if (id === MEMORY_SECTION) {
      // One memory, whose limits have a flag for whether there is a maximum after the minimum.
      const [count, flags] = [varint(), varint()];
      assert.deepEqual([count, flags], [1, 0]);
      const minimum = bytes.subarray(at, end);
      const content = [1, 1, ...minimum, max];
      const section = [MEMORY_SECTION, content.length, ...content];
      return new Uint8Array([...bytes.subarray(0, start), ...section, ...bytes.subarray(end)]);
    }
    at = end;
  }
  throw new Error("the module has no memory");
}

// The only file that touches WebAssembly.

import { isPage } from "../delivery/page-lifecycle.js";
import { WasmUnavailableError } from "../errors/wasm-unavailable-error.js";
import { runInNewTask } from "../util/event-loop.js";
import type { WasmModule } from "../util/platform.js";
import { fromBase64 } from "./base64.js";
import { type CoreExports, setCoreSource, start } from "./module.js";

/**
 * A source of the module: a compiled module, its bytes, or the namespace that a loader with
 * WebAssembly ESM integration returns for `shardbus/bus.wasm`.
 */
export type WasmSource = WasmModule | ArrayBufferLike | ArrayBufferView | object;

/** Says where the module comes from once it is needed. */
export function provide(source: () => WasmSource): void {
  setCoreSource(() => instantiate(source()));
}

/**
 * A function by the instructions that the module has and engines once had not. Compiled from text:
 *
 *     (module (memory 1) (func (param f64) (result i32)
 *       (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
 *       (i32.trunc_sat_f64_s (local.get 0))))
 */
const PROBE = "AGFzbQEAAAABBgFgAXwBfwMCAQAFAwEAAQoRAQ8AQQBBAEEA/AsAIAD8Ags=";

/** {@linkcode provide} for bytes. They are compiled once they are needed, or in the background in a page. */
export function provideBytes(source: () => Uint8Array<ArrayBuffer>): void {
  let module: WebAssembly.Module | undefined;
  const probe = () => {
    withWasm(() => compile(fromBase64(PROBE)));
    // Compiling takes long enough for a visitor to notice. Servers have nobody who could.
    if (isPage()) runInNewTask(() => void compileLater());
  };
  const compileLater = async () => {
    try {
      module ??= await WebAssembly.compile(source());
    } catch {
      // Whoever needs the module is told.
    }
  };
  setCoreSource(() => instantiate(module ?? source()), probe);
}

/**
 * Loads the WebAssembly module. Call it once, before the first `EventBus`; later calls do nothing.
 *
 * @param source a compiled module, its bytes, or the namespace that importing
 * `shardbus/bus.wasm` gives in loaders with ESM integration.
 */
export function initialize(source: WasmSource): void {
  start(() => instantiate(source));
}

// Not `instanceof`: a module can come from another realm, as in Next.js's edge sandbox.
const isModule = (source: object): source is WebAssembly.Module =>
  Object.prototype.toString.call(source) === "[object WebAssembly.Module]";

const isBytes = (source: object): source is BufferSource =>
  ArrayBuffer.isView(source) ||
  Object.prototype.toString.call(source) === "[object ArrayBuffer]" ||
  Object.prototype.toString.call(source) === "[object SharedArrayBuffer]";

/** Runs a task that the engine or the page may not allow. */
function withWasm<R>(task: () => R): R {
  try {
    return task();
  } catch (cause) {
    throw new WasmUnavailableError(cause);
  }
}

const compile = (source: WebAssembly.Module | BufferSource): WebAssembly.Module =>
  isModule(source) ? source : new WebAssembly.Module(source);

function instantiate(source: WasmSource): CoreExports {
  const exports =
    isModule(source) || isBytes(source)
      ? withWasm(() => new WebAssembly.Instance(compile(source)).exports)
      : source;
  if (typeof exports !== "object" || exports === null || !("last_timestamp" in exports)) {
    throw new TypeError(
      "initialize(source) takes a WebAssembly.Module, the bytes of `shardbus/bus.wasm`, or the namespace that importing it gives",
    );
  }
  return exports as unknown as CoreExports;
}

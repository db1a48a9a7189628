// The only file that touches WebAssembly.

import { WasmUnavailableError } from "../errors/wasm-unavailable-error.js";
import type { WasmModule } from "../util/platform.js";
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

function compile(source: WebAssembly.Module | BufferSource): WebAssembly.Exports {
  try {
    const module = isModule(source) ? source : new WebAssembly.Module(source);
    return new WebAssembly.Instance(module).exports;
  } catch (cause) {
    throw new WasmUnavailableError(cause);
  }
}

function instantiate(source: WasmSource): CoreExports {
  const exports = isModule(source) || isBytes(source) ? compile(source) : source;
  if (typeof exports !== "object" || exports === null || !("last_timestamp" in exports)) {
    throw new TypeError(
      "initialize(source) takes a WebAssembly.Module, the bytes of `shardbus/bus.wasm`, or the namespace that importing it gives",
    );
  }
  return exports as unknown as CoreExports;
}

// The only file that touches WebAssembly.

import { WasmUnavailableError } from "../errors/wasm-unavailable-error.js";
import { runInNewTask } from "../util/event-loop.js";
import { isPage } from "../util/page.js";
import type { WasmModule } from "../util/platform.js";
import { type CoreExports, isLoaded, setCoreSource, start } from "./module.js";

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
 * A module with what the core's has and engines once refused: two instructions, and more than 4 KiB. As
 * text:
 *
 *     (module (memory 1) (func (param f64) (result i32)
 *       (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
 *       (i32.trunc_sat_f64_s (local.get 0)))
 *     (@custom "" "…"))
 */
// biome-ignore format: they are only many
const PROBE = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 124, 1, 127, 3, 2, 1, 0, 5, 3,
  1, 0, 1, 10, 17, 1, 15, 0, 65, 0, 65, 0, 65, 0, 252, 11, 0, 32, 0, 252, 2, 11,
  0, 128, 32
];

/** The length of its last section, which is all zeros. */
const PADDING = 4096;

function makeProbe(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PROBE.length + PADDING);
  bytes.set(PROBE);
  return bytes;
}

/** {@linkcode provide} for bytes. They are compiled once they are needed, or in the background in a page. */
export function provideBytes(source: () => Uint8Array<ArrayBuffer>): void {
  let module: WebAssembly.Module | undefined;
  let isAsked = false;
  const compileEarly = async () => {
    if (isLoaded()) return;
    try {
      module = await WebAssembly.compile(source());
    } catch {
      // Whoever needs the module is told.
    }
  };
  const probe = () => {
    withWasm(() => compile(makeProbe()));
    // Compiling takes long enough for a visitor to notice. Servers have nobody who could.
    if (isAsked || !isPage()) return;
    isAsked = true;
    runInNewTask(() => void compileEarly());
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

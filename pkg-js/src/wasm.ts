// The only file that touches WebAssembly.

import * as glue from "./bus_bg.js";
import { NotInitializedError } from "./errors/not-initialized-error.js";
import { PoisonedError } from "./errors/poisoned-error.js";
import { WasmUnavailableError } from "./errors/wasm-unavailable-error.js";

/**
 * What the module can be loaded from: a compiled module, its bytes, or the namespace that a loader
 * with WebAssembly ESM integration returns for `shardbus/bus.wasm`.
 */
export type WasmSource = WebAssembly.Module | BufferSource | object;

/** The event path's exports (`src/wasm/raw.rs`): integers in, integers out. */
export interface RawExports {
  readonly memory: WebAssembly.Memory;
  scratch_ptr(): number;
  scratch_len(): number;
  lengths_ptr(): number;
  lengths_len(): number;
  reserve(len: number): number;
  set_clock(handle: number, nowMs: number): void;
  push(handle: number, len: number, keyLen: number, line: number): number;
  push_many(handle: number, count: number, keyed: number): number;
  room_events(handle: number): number;
  room_bytes(handle: number): number;
}

/** What {@linkcode RawExports.push} returns for a refusal (`src/wasm/registry.rs`). */
export const Refusal = {
  full: -1,
  sampled: -2,
  unrouted: -3,
  oversize: -4,
  invalid: -5,
  closed: -6,
  misused: -7,
} as const;

export { FailureKind, Step } from "./bus_bg.js";

export type CoreBus = glue.Bus;

let load: (() => WasmSource) | undefined;
let raw: RawExports | undefined;
let trap: unknown;

/** Says where the module comes from once it is needed. */
export function provide(source: () => WasmSource): void {
  load = source;
}

/**
 * Loads the WebAssembly module. Call it once, before the first `EventBus`; later calls do nothing.
 *
 * @param source a compiled module, its bytes, or the namespace that importing
 * `shardbus/bus.wasm` gives in loaders with ESM integration.
 */
export function initialize(source: WasmSource): void {
  raw ??= instantiate(source);
}

/** Throws if the module has failed. */
export function assertAlive(): void {
  if (trap !== undefined) throw new PoisonedError(trap);
}

/** The event path's exports, loaded if need be. */
export function rawExports(): RawExports {
  assertAlive();
  if (raw === undefined) {
    if (load === undefined) throw new NotInitializedError();
    initialize(load());
  }
  return raw as RawExports;
}

/** Makes the core of a bus. Throws `{ field, value, rule }` if the options break a rule. */
export function createBus(options: object): CoreBus {
  rawExports();
  return new glue.Bus(options);
}

// Not `instanceof`: a module can come from another realm, as in Next.js's edge sandbox.
const isModule = (source: object): source is WebAssembly.Module =>
  Object.prototype.toString.call(source) === "[object WebAssembly.Module]";

const isBytes = (source: object): source is BufferSource =>
  ArrayBuffer.isView(source) ||
  Object.prototype.toString.call(source) === "[object ArrayBuffer]" ||
  Object.prototype.toString.call(source) === "[object SharedArrayBuffer]";

function compile(source: WebAssembly.Module | BufferSource): WebAssembly.Exports {
  // The name is baked into the module by `wasm-bindgen --out-name bus`.
  const imports = { "./bus_bg.js": glue as unknown as WebAssembly.ModuleImports };
  try {
    const module = isModule(source) ? source : new WebAssembly.Module(source);
    return new WebAssembly.Instance(module, imports).exports;
  } catch (cause) {
    throw new WasmUnavailableError(cause);
  }
}

function instantiate(source: WasmSource): RawExports {
  const exports = isModule(source) || isBytes(source) ? compile(source) : source;
  if (typeof exports !== "object" || exports === null || !("__wbindgen_start" in exports)) {
    throw new TypeError(
      "initialize(source) takes a WebAssembly.Module, the bytes of `shardbus/bus.wasm`, or the namespace that importing it gives",
    );
  }
  const guarded = guard(exports as WebAssembly.Exports);
  glue.__wbg_set_wasm(guarded);
  (guarded.__wbindgen_start as () => void)();
  return guarded as unknown as RawExports;
}

/**
 * The exports, behind a door that shuts for good when one of them traps: the core does not panic,
 * but should it happen all the same, nothing that it holds can be trusted.
 */
function guard(exports: WebAssembly.Exports): WebAssembly.Exports {
  const guarded: WebAssembly.Exports = {};
  for (const [name, value] of Object.entries(exports)) {
    guarded[name] = typeof value === "function" ? guardExport(value as Export) : value;
  }
  // A finaliser calls this one, and nobody could catch what it throws.
  const free = guarded.__wbg_bus_free as Export;
  guarded.__wbg_bus_free = (...args: [unknown, unknown]) =>
    trap === undefined ? free(...args) : undefined;
  return guarded;
}

type Export = (a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown) => unknown;

// Named parameters: spreading costs more than the call on the event path.
function guardExport(call: Export): Export {
  return (a, b, c, d, e) => {
    assertAlive();
    try {
      return call(a, b, c, d, e);
    } catch (error) {
      trap = error;
      throw new PoisonedError(error);
    }
  };
}

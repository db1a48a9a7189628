// The core, whatever it was compiled to: loaded when it is first needed, and shut when it has failed.

import type * as bindings from "../bus_bg.js";
import { NotInitializedError } from "../errors/not-initialized-error.js";
import { PoisonedError } from "../errors/poisoned-error.js";

/** The event path's exports (`wasm/src/raw.rs`): integers in, integers out. */
export interface RawExports {
  readonly memory: { readonly buffer: ArrayBufferLike };
  scratch_ptr(): number;
  scratch_len(): number;
  lengths_ptr(): number;
  lengths_len(): number;
  row_ptr(): number;
  last_timestamp(): number;
  reserve(len: number): number;
  incoming(len: number): number;
  shard_for(handle: number, len: number): number;
  set_clock(handle: number, nowMs: number): void;
  push(handle: number, len: number, keyLen: number, line: number): number;
  push_many(handle: number, count: number, gap: number, keyed: number): number;
  room_events(handle: number): number;
  room_bytes(handle: number): number;
}

/** The error for a call that the core does not understand: a bug of ours. */
export const misuse = (code: number): Error =>
  new Error(`The core refused a call of shardbus's own (${code})`);

/** The part of wasm-bindgen's glue that goes with the exports of one compilation. */
export type Glue = Pick<
  typeof bindings,
  "__wbg_set_wasm" | "create" | "batch_body" | "batch_encode" | "batch_lens"
>;

/** A compilation of the core, instantiated. */
export interface Core {
  readonly glue: Glue;
  readonly exports: WebAssembly.Exports;
}

let load: (() => Core) | undefined;
let raw: RawExports | undefined;
let glue: Glue;
let trap: unknown;

/** Says where the core comes from once it is needed. */
export function setCoreSource(source: () => Core): void {
  load = source;
}

/** Loads the core, unless one is loaded already. */
export function start(source: () => Core): void {
  if (raw !== undefined) return;
  const { glue: found, exports } = source();
  const guarded = guard(exports);
  found.__wbg_set_wasm(guarded);
  // It is there if references to objects are in a table of the module.
  (guarded.__wbindgen_start as (() => void) | undefined)?.();
  raw = guarded as unknown as RawExports;
  glue = found;
}

/** Throws if the core has failed. */
export function assertAlive(): void {
  if (trap !== undefined) throw new PoisonedError(trap);
}

/**
 * The depth of calls that {@linkcode assertRoom} probes: 20 kB and more, which the core never needs of
 * the stack.
 */
const ROOM = 72;

/** A function that callers may give more than it takes. */
type Probe = (calls: number, ...filler: 0[]) => number;

/** Arguments take their place on the stack, and fewer calls for the same depth take less time. */
const probe: Probe = (calls) =>
  calls > 0
    ? // biome-ignore format: they are only many
      probe(calls - 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) + 1
    : 0;

/**
 * Throws the engine's own error if there is too little left of the stack for the core. An overflow
 * within the core would be its end: nobody could tell which half of an operation was done.
 */
export function assertRoom(calls: number = ROOM): void {
  probe(calls);
}

/** The event path's exports, loaded if need be. */
export function rawExports(): RawExports {
  assertAlive();
  if (raw === undefined) {
    if (load === undefined) throw new NotInitializedError();
    start(load);
  }
  return raw as RawExports;
}

let numbers = new Float64Array(0);

/**
 * The row of numbers that the last call into the core has left, at least `length` of them. The next
 * call writes over it.
 */
export function row(length: number): Float64Array {
  const { memory, row_ptr } = raw as RawExports;
  const buffer = memory.buffer as ArrayBuffer;
  // Above 2 GiB, an address that crosses as a signed number is negative.
  const start = row_ptr() >>> 0;
  const isThere = numbers.buffer === buffer && numbers.byteOffset === start;
  if (!isThere || numbers.length < length) numbers = new Float64Array(buffer, start, length);
  return numbers;
}

/**
 * Hands bytes over to the next call into the core, which takes them. Returns whether there was memory
 * for them.
 */
export function handIn(bytes: Uint8Array): boolean {
  const { memory, incoming } = raw as RawExports;
  const start = incoming(bytes.length) >>> 0;
  if (start === 0) return false;
  new Uint8Array(memory.buffer as ArrayBuffer, start, bytes.length).set(bytes);
  return true;
}

/** The exports and what wasm-bindgen adds to them, loaded if need be. */
export function allExports(): { readonly exports: WebAssembly.Exports; readonly glue: Glue } {
  return { exports: rawExports() as unknown as WebAssembly.Exports, glue };
}

/** True once the core has failed. */
export const isDead = (): boolean => trap !== undefined;

/**
 * The exports, behind a door that shuts for good when one of them traps: the core does not panic,
 * but should it happen all the same, nothing that it holds can be trusted.
 */
function guard(exports: WebAssembly.Exports): WebAssembly.Exports {
  const guarded: WebAssembly.Exports = {};
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function") guarded[name] = value;
    // On the event path room is looked for once for several calls.
    else guarded[name] = guardExport(value as Export, name.startsWith("bus_") ? ROOM : 0);
  }
  return guarded;
}

/** No export takes more. */
type Export = (
  a?: unknown,
  b?: unknown,
  c?: unknown,
  d?: unknown,
  e?: unknown,
  f?: unknown,
) => unknown;

// Named parameters: spreading costs more than the call on the event path.
function guardExport(call: Export, room: number): Export {
  return (a, b, c, d, e, f) => {
    assertAlive();
    assertRoom(room);
    try {
      return call(a, b, c, d, e, f);
    } catch (error) {
      trap = error;
      throw new PoisonedError(error);
    }
  };
}

// The core, whatever it was compiled to: loaded when it is first needed, and shut when it has failed.

import { NotInitializedError } from "../errors/not-initialized-error.js";
import { PoisonedError } from "../errors/poisoned-error.js";

/**
 * The core's exports: those of the event path (`wasm/src/raw.rs`), and those that make, free and call
 * a bus (`wasm/src/calls.rs`).
 */
export interface CoreExports {
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
  create(): number;
  free(handle: number): void;
  call(handle: number, code: number, ...numbers: (number | boolean)[]): number;
}

/** The error for a call that the core does not understand: a bug of ours. */
export const misuse = (code: number): Error =>
  new Error(`The core refused a call of shardbus's own (${code})`);

let load: (() => CoreExports) | undefined;
let probe: (() => void) | undefined;
let core: CoreExports | undefined;
let trap: unknown;

/**
 * Says where the core comes from once it is needed. With a `check`, which throws if the core cannot be
 * loaded here, a bus may begin without it.
 */
export function setCoreSource(source: () => CoreExports, check?: () => void): void {
  load = source;
  probe = check;
}

/**
 * Tells whether a bus may begin without the core, because loading it takes time.
 *
 * @throws {WasmUnavailableError} if it cannot be loaded here.
 */
export function canLoadLater(): boolean {
  if (core !== undefined || trap !== undefined || probe === undefined) return false;
  probe();
  return true;
}

/**
 * Runs a task for events that were accepted before the core was loaded. Without the core they are
 * lost, so the core counts as failed if the task throws.
 */
export function orFail(task: () => void): void {
  // Loading the core takes more of the stack than a call.
  assertRoom(4);
  try {
    task();
  } catch (error) {
    trap ??= error;
    throw new PoisonedError(trap);
  }
}

/** Loads the core, unless one is loaded already. */
export function start(source: () => CoreExports): void {
  core ??= guard(source());
}

/** True once a core is loaded. */
export const isLoaded = (): boolean => core !== undefined;

/** Throws if the core has failed. */
export function assertAlive(): void {
  if (trap !== undefined) throw new PoisonedError(trap);
}

/**
 * The depth of calls that {@linkcode assertRoom} probes: 20 kB and more, which the core never needs of
 * the stack.
 */
const ROOM = 18;

/** A function that callers may give more than it takes. */
type Deep = (calls: number, ...filler: 0[]) => number;

/** Arguments take their place on the stack, and fewer calls for the same depth take less time. */
const descend: Deep = (calls) =>
  calls > 0
    ? // biome-ignore format: they are only many
      descend(calls - 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) + 1
    : 0;

/**
 * Throws the engine's own error if there is too little left of the stack for the core. An overflow
 * within the core would be its end: nobody could tell which half of an operation was done.
 */
export function assertRoom(times = 1): void {
  descend(times * ROOM);
}

/** True while there is room for several calls. */
let hasRoom = false;

/**
 * Makes several calls of a bus, and looks for room once. Users' code must not run meanwhile: it may
 * call a bus from the end of the stack.
 */
export function withRoom<R>(calls: () => R): R {
  assertRoom();
  hasRoom = true;
  try {
    return calls();
  } finally {
    hasRoom = false;
  }
}

/** The exports, loaded if need be. */
export function coreExports(): CoreExports {
  assertAlive();
  if (core === undefined) {
    if (load === undefined) throw new NotInitializedError();
    start(load);
  }
  return core as CoreExports;
}

/** Makes a call of a bus by its code. */
export const call = (
  handle: number,
  code: number,
  a?: number | boolean,
  b?: number | boolean,
  c?: number | boolean,
  d?: number | boolean,
  e?: number | boolean,
): number =>
  (core as CoreExports).call(
    handle,
    code,
    a as number,
    b as number,
    c as number,
    d as number,
    e as number,
  );

let numbers = new Float64Array(0);

/**
 * The row of numbers that the last call into the core has left, at least `length` of them. The next
 * call writes over it.
 */
export function row(length: number): Float64Array {
  const { memory, row_ptr } = core as CoreExports;
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
  const { memory, incoming } = core as CoreExports;
  const start = incoming(bytes.length) >>> 0;
  if (start === 0) return false;
  new Uint8Array(memory.buffer as ArrayBuffer, start, bytes.length).set(bytes);
  return true;
}

/** A copy of the bytes whose address and length the last call into the core has left in the row. */
export function copyLeft(): Uint8Array<ArrayBuffer> {
  const [start, length] = row(2);
  return new Uint8Array(
    new Uint8Array((core as CoreExports).memory.buffer as ArrayBuffer, start, length),
  );
}

/** True once the core has failed. */
export const isDead = (): boolean => trap !== undefined;

/**
 * The exports, behind a door that shuts for good when one of them traps: the core does not panic,
 * but should it happen all the same, nothing that it holds can be trusted.
 */
function guard(exports: CoreExports): CoreExports {
  const guarded: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function") guarded[name] = value;
    // On the event path room is looked for once for several calls.
    else guarded[name] = guardExport(value, name === "call" ? 1 : 0);
  }
  return guarded as unknown as CoreExports;
}

/** No export takes more. */
type Export = (
  a?: unknown,
  b?: unknown,
  c?: unknown,
  d?: unknown,
  e?: unknown,
  f?: unknown,
  g?: unknown,
) => unknown;

// Named parameters: spreading costs more than the call on the event path.
function guardExport(call: Export, room: number): Export {
  return (a, b, c, d, e, f, g) => {
    assertAlive();
    assertRoom(hasRoom ? 0 : room);
    try {
      return call(a, b, c, d, e, f, g);
    } catch (error) {
      trap = error;
      throw new PoisonedError(error);
    }
  };
}

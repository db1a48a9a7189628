import { allExports, isDead } from "./core.js";
import { optionNumbers } from "./numbers.js";
import type { EventBusOptions } from "./options.js";

/** The core of one bus. What is a boolean there (`src/wasm/calls.rs`) comes as 0 or 1. */
export interface CoreBus {
  /** Names the bus on the event path. */
  handle(): number;
  /** Frees its memory. Whatever is called afterwards does nothing. */
  free(): void;

  seed(high: number, low: number): void;
  poll(wallMs: number, nowMs: number): number;
  poll_exit(wallMs: number, nowMs: number, maxBytes: number, newest: boolean): number;
  forget(): void;
  wake_at(): number;
  lease_id(): number;
  lease_attempt(): number;
  lease_deadline(): number;
  abandon_reason(): number;
  acknowledge(lease: number, nowMs: number): number;
  fail(lease: number, kind: number, retryAfterMs: number, nowMs: number): number;
  expire(lease: number, nowMs: number): number;
  drain(maxBytes: number): number;
  stage(nowMs: number): void;
  next_staged(): number;
  release(): number;
  recall(): void;
  begin_restore(): number;
  end_restore(): void;
  is_restoring(): number;
  begin_flush(): number;
  end_flush(flush: number): void;
  is_ready(): number;
  set_room_awaited(awaited: boolean): void;
  refuse_invalid(): void;
  refuse_oversize(): void;
  close(): void;
  abandon_everything(): void;
  max_event_bytes(): number;
  offered(): number;
  lost(): number;
  // `src/wasm/bindings.rs`
  batch_numbers(): Float64Array;
  batch_body(): Uint8Array;
  batch_encode(): Uint8Array;
  restore(bytes: Uint8Array): number;
  flush_report(flush: number): Float64Array;
  scale_up(count: number): Float64Array;
  scale_down(count: number): Float64Array;
  shard_for(keyOrPayload: Uint8Array): number;
  last_timestamp(): Float64Array;
  stats(): Float64Array;
}

type Call = (handle: number, ...args: unknown[]) => unknown;

// Nobody could catch what a finaliser throws. Not every Worker has finalisers.
const freeLater =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry((handle: number) => {
        if (!isDead()) (allExports().exports.bus_free as Call)(handle);
      })
    : undefined;

/** Makes the core of a bus. Throws `[field, value, rule]` if the options break a rule. */
export function createBus<T>(options: EventBusOptions<T>): CoreBus {
  const { exports, glue } = allExports();
  let handle = glue.create(optionNumbers(options));
  const core: { [name: string]: unknown } = {
    handle: () => handle,
    free: () => {
      freeLater?.unregister(core);
      (exports.bus_free as Call)(handle);
      // None: the handle may become another bus's.
      handle = -1;
    },
  };
  const bind = (name: string, call: unknown) => {
    core[name] ??= (...args: unknown[]) => (call as Call)(handle, ...args);
  };
  for (const [name, call] of Object.entries(exports)) {
    if (name.startsWith("bus_")) bind(name.slice(4), call);
  }
  for (const [name, call] of Object.entries(glue)) bind(name, call);
  freeLater?.register(core, handle, core);
  return core as unknown as CoreBus;
}

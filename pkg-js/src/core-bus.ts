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
  batch_head(): number;
  forget(): void;
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
  flush_report(flush: number): number;
  end_flush(flush: number): void;
  is_ready(): number;
  set_room_awaited(awaited: boolean): void;
  refuse_invalid(): void;
  refuse_oversize(): void;
  scale_up(count: number): number;
  scale_down(count: number): number;
  stats(): number;
  close(): void;
  abandon_everything(): void;
  max_event_bytes(): number;
  offered(): number;
  lost(): number;
  // `src/wasm/bindings.rs`
  batch_body(): Uint8Array;
  shard_for(keyOrPayload: Uint8Array): number;
  batch_encode(): Uint8Array;
  restore(bytes: Uint8Array): number;
}

type Call = (handle: number, ...args: unknown[]) => unknown;

// Nobody could catch what a finaliser throws. Not every Worker has finalisers.
const freeLater =
  typeof FinalizationRegistry === "function"
    ? /* @__PURE__ */ new FinalizationRegistry((handle: number) => {
        if (!isDead()) (allExports().exports.bus_free as Call)(handle);
      })
    : undefined;

/** The core's calls, each of which takes a bus's handle first, as methods of the bus. */
class BoundCalls {
  static #areBound = false;
  #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
    freeLater?.register(this, handle, this);
  }

  handle(): number {
    return this.#handle;
  }

  free(): void {
    freeLater?.unregister(this);
    (allExports().exports.bus_free as Call)(this.#handle);
    // None: the handle may become another bus's.
    this.#handle = -1;
  }

  /** Gives the class its methods, unless it has them. */
  static bind(): void {
    if (BoundCalls.#areBound) return;
    BoundCalls.#areBound = true;
    const { exports, glue } = allExports();
    for (const [name, call] of Object.entries(exports)) {
      if (name.startsWith("bus_")) BoundCalls.#bind(name.slice(4), call as Call);
    }
    for (const [name, call] of Object.entries(glue)) BoundCalls.#bind(name, call as Call);
  }

  static #bind(name: string, call: Call): void {
    if (Object.hasOwn(BoundCalls.prototype, name)) return;
    Object.defineProperty(BoundCalls.prototype, name, {
      // Named parameters: spreading costs more than the call.
      value(this: BoundCalls, a?: unknown, b?: unknown, c?: unknown, d?: unknown) {
        return call(this.#handle, a, b, c, d);
      },
    });
  }
}

/** Makes the core of a bus. Throws `[field, value, rule]` if the options break a rule. */
export function createBus<T>(options: EventBusOptions<T>): CoreBus {
  const handle = allExports().glue.create(optionNumbers(options));
  BoundCalls.bind();
  return new BoundCalls(handle) as unknown as CoreBus;
}

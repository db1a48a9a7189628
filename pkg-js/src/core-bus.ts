import { allExports, type Glue, handIn, isDead, RestoreRefusal } from "./core.js";
import { optionNumbers } from "./numbers.js";
import type { EventBusOptions } from "./options.js";

/** The calls as the core has them: `bus_poll` for `poll`, with a bus's handle first. */
type Calls = {
  readonly [Name in Exclude<keyof CoreBus, "settle" | "restore"> as `bus_${Name}`]: (
    handle: number,
    ...args: Parameters<CoreBus[Name]>
  ) => ReturnType<CoreBus[Name]>;
} & {
  bus_settle(handle: number, lease: number, retryAfterMs: number, nowMs: number): number;
  bus_restore(handle: number): number;
  bus_max_restored_bytes(handle: number): number;
};

let calls: Calls;
let glue: Glue;

// Nobody could catch what a finaliser throws. Not every Worker has finalisers.
const freeLater =
  typeof FinalizationRegistry === "function"
    ? /* @__PURE__ */ new FinalizationRegistry((handle: number) => {
        if (!isDead()) calls.bus_free(handle);
      })
    : undefined;

/** The core of one bus. */
export class CoreBus {
  #handle: number;

  /** Throws `[field, value, rule]` if the options break a rule. */
  constructor(options: EventBusOptions<never>) {
    const loaded = allExports();
    calls = loaded.exports as unknown as Calls;
    glue = loaded.glue;
    this.#handle = glue.create(optionNumbers(options));
    freeLater?.register(this, this.#handle, this);
  }

  /** Names the bus on the event path. */
  handle(): number {
    return this.#handle;
  }

  /** Frees its memory. Whatever is called afterwards does nothing. */
  free(): void {
    freeLater?.unregister(this);
    calls.bus_free(this.#handle);
    // None: the handle may become another bus's.
    this.#handle = -1;
  }

  // `src/wasm/calls.rs`, where what comes as 0 or 1 is a boolean.

  seed(high: number, low: number): void {
    calls.bus_seed(this.#handle, high, low);
  }

  poll(wallMs: number, nowMs: number): number {
    return calls.bus_poll(this.#handle, wallMs, nowMs);
  }

  next_abandoned(): number {
    return calls.bus_next_abandoned(this.#handle);
  }

  probe(): void {
    calls.bus_probe(this.#handle);
  }

  poll_exit(wallMs: number, nowMs: number, maxBytes: number, newest: boolean): number {
    return calls.bus_poll_exit(this.#handle, wallMs, nowMs, maxBytes, newest);
  }

  batch_head(): number {
    return calls.bus_batch_head(this.#handle);
  }

  forget(): void {
    calls.bus_forget(this.#handle);
  }

  acknowledge(lease: number, nowMs: number): number {
    return calls.bus_acknowledge(this.#handle, lease, nowMs);
  }

  fail(lease: number, kind: number, retryAfterMs: number, nowMs: number): number {
    return calls.bus_fail(this.#handle, lease, kind, retryAfterMs, nowMs);
  }

  expire(lease: number, nowMs: number): number {
    return calls.bus_expire(this.#handle, lease, nowMs);
  }

  drain(maxBytes: number): number {
    return calls.bus_drain(this.#handle, maxBytes);
  }

  stage(nowMs: number): void {
    calls.bus_stage(this.#handle, nowMs);
  }

  next_staged(): number {
    return calls.bus_next_staged(this.#handle);
  }

  release(): number {
    return calls.bus_release(this.#handle);
  }

  note_stored(high: number, low: number, shard: number, sequence: number, count: number): void {
    calls.bus_note_stored(this.#handle, high, low, shard, sequence, count);
  }

  recall(): void {
    calls.bus_recall(this.#handle);
  }

  begin_restore(): void {
    calls.bus_begin_restore(this.#handle);
  }

  end_restore(): void {
    calls.bus_end_restore(this.#handle);
  }

  is_restoring(): number {
    return calls.bus_is_restoring(this.#handle);
  }

  wants_restored(): number {
    return calls.bus_wants_restored(this.#handle);
  }

  begin_flush(): number {
    return calls.bus_begin_flush(this.#handle);
  }

  flush_report(flush: number): number {
    return calls.bus_flush_report(this.#handle, flush);
  }

  end_flush(flush: number): void {
    calls.bus_end_flush(this.#handle, flush);
  }

  is_ready(): number {
    return calls.bus_is_ready(this.#handle);
  }

  set_room_awaited(awaited: boolean): void {
    calls.bus_set_room_awaited(this.#handle, awaited);
  }

  refuse_invalid(): void {
    calls.bus_refuse_invalid(this.#handle);
  }

  refuse_full(): void {
    calls.bus_refuse_full(this.#handle);
  }

  refuse_oversize(): void {
    calls.bus_refuse_oversize(this.#handle);
  }

  scale_up(count: number): number {
    return calls.bus_scale_up(this.#handle, count);
  }

  scale_down(count: number): number {
    return calls.bus_scale_down(this.#handle, count);
  }

  stats(): number {
    return calls.bus_stats(this.#handle);
  }

  close(): void {
    calls.bus_close(this.#handle);
  }

  abandon_everything(): void {
    calls.bus_abandon_everything(this.#handle);
  }

  max_event_bytes(): number {
    return calls.bus_max_event_bytes(this.#handle);
  }

  max_key_bytes(): number {
    return calls.bus_max_key_bytes(this.#handle);
  }

  offered(): number {
    return calls.bus_offered(this.#handle);
  }

  lost(): number {
    return calls.bus_lost(this.#handle);
  }

  /** As `bus_settle`, with its argument handed in. */
  settle(lease: number, outcomes: Float64Array, retryAfterMs: number, nowMs: number): boolean {
    const { buffer, byteOffset, byteLength } = outcomes;
    // A lease without an answer expires, and its batch is sent again.
    if (!handIn(new Uint8Array(buffer, byteOffset, byteLength))) return false;
    return calls.bus_settle(this.#handle, lease, retryAfterMs, nowMs) === 1;
  }

  /** As `bus_restore`, with its argument handed in. */
  restore(bytes: Uint8Array): number {
    if (bytes.length > calls.bus_max_restored_bytes(this.#handle) >>> 0) {
      return RestoreRefusal.TooLarge;
    }
    return handIn(bytes) ? calls.bus_restore(this.#handle) : RestoreRefusal.NoMemory;
  }

  // `src/wasm/bindings.rs`

  batch_body(): Uint8Array {
    return glue.batch_body(this.#handle);
  }

  batch_lens(): Uint32Array {
    return glue.batch_lens(this.#handle);
  }

  batch_encode(): Uint8Array {
    return glue.batch_encode(this.#handle);
  }
}

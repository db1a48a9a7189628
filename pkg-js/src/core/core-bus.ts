import { encodeOptions, RestoreRefusal } from "../generated/layout.js";
import type { EventBusOptions } from "../options.js";
import { allExports, type Glue, handIn, isDead } from "./module.js";

type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : Name;

/** The core's exports: `bus_begin_flush` for `beginFlush`, with a bus's handle first. */
type Calls = {
  readonly [Name in Exclude<
    keyof CoreBus,
    // The first has no export, those of the glue have others, and the last ones other arguments.
    "handle" | "batchBody" | "batchLens" | "batchEncode" | "settle" | "restore" | "load"
  > as `bus_${SnakeCase<Name>}`]: (handle: number, ...args: Parameters<CoreBus[Name]>) => number;
} & {
  bus_settle(handle: number, lease: number, retryAfterMs: number, nowMs: number): number;
  bus_restore(handle: number): number;
  bus_load(handle: number): number;
  bus_max_restored_bytes(handle: number): number;
};

let calls: Calls;
let glue: Glue;

// Nobody could catch an error of a finaliser. Not every Worker has finalisers.
const freeLater =
  typeof FinalizationRegistry === "function"
    ? /* @__PURE__ */ new FinalizationRegistry((handle: number) => {
        if (!isDead()) calls.bus_free(handle);
      })
    : undefined;

/** The core of one bus. */
export class CoreBus {
  #handle: number;

  /** Throws `[code, value]` if the options break a rule. */
  constructor(options: EventBusOptions<never>) {
    const loaded = allExports();
    calls = loaded.exports as unknown as Calls;
    glue = loaded.glue;
    this.#handle = glue.create(encodeOptions(options));
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

  // `wasm/src/calls.rs`; its 0 and 1 are booleans here.

  seed(high: number, low: number): void {
    calls.bus_seed(this.#handle, high, low);
  }

  poll(flush: number, wallMs: number, nowMs: number): number {
    return calls.bus_poll(this.#handle, flush, wallMs, nowMs);
  }

  lead(flush: number, nowMs: number): boolean {
    return calls.bus_lead(this.#handle, flush, nowMs) === 1;
  }

  isSilent(flush: number, nowMs: number): boolean {
    return calls.bus_is_silent(this.#handle, flush, nowMs) === 1;
  }

  beginTask(): void {
    calls.bus_begin_task(this.#handle);
  }

  nextAbandoned(): number {
    return calls.bus_next_abandoned(this.#handle);
  }

  probe(): void {
    calls.bus_probe(this.#handle);
  }

  pollExit(wallMs: number, nowMs: number, maxBytes: number, newest: boolean): number {
    return calls.bus_poll_exit(this.#handle, wallMs, nowMs, maxBytes, newest);
  }

  batchHead(): number {
    return calls.bus_batch_head(this.#handle);
  }

  forget(): void {
    calls.bus_forget(this.#handle);
  }

  acknowledge(lease: number, nowMs: number): boolean {
    return calls.bus_acknowledge(this.#handle, lease, nowMs) === 1;
  }

  fail(lease: number, kind: number, retryAfterMs: number, nowMs: number): void {
    calls.bus_fail(this.#handle, lease, kind, retryAfterMs, nowMs);
  }

  drain(maxBytes: number): boolean {
    return calls.bus_drain(this.#handle, maxBytes) === 1;
  }

  stage(nowMs: number): void {
    calls.bus_stage(this.#handle, nowMs);
  }

  nextStaged(): boolean {
    return calls.bus_next_staged(this.#handle) === 1;
  }

  release(): void {
    calls.bus_release(this.#handle);
  }

  noteStored(high: number, low: number, shard: number, sequence: number, count: number): void {
    calls.bus_note_stored(this.#handle, high, low, shard, sequence, count);
  }

  evictStored(): number {
    return calls.bus_evict_stored(this.#handle);
  }

  noteUnreadable(
    high: number,
    low: number,
    shard: number,
    sequence: number,
    isGone: boolean,
  ): boolean {
    return calls.bus_note_unreadable(this.#handle, high, low, shard, sequence, isGone) === 1;
  }

  recall(): void {
    calls.bus_recall(this.#handle);
  }

  beginRestore(): void {
    calls.bus_begin_restore(this.#handle);
  }

  endRestore(): void {
    calls.bus_end_restore(this.#handle);
  }

  isRestoring(): boolean {
    return calls.bus_is_restoring(this.#handle) === 1;
  }

  wantsRestored(): boolean {
    return calls.bus_wants_restored(this.#handle) === 1;
  }

  beginFlush(endMs: number): number {
    return calls.bus_begin_flush(this.#handle, endMs);
  }

  flushState(flush: number): number {
    return calls.bus_flush_state(this.#handle, flush);
  }

  flushReport(flush: number): number {
    return calls.bus_flush_report(this.#handle, flush);
  }

  endFlush(flush: number): void {
    calls.bus_end_flush(this.#handle, flush);
  }

  isReady(): boolean {
    return calls.bus_is_ready(this.#handle) === 1;
  }

  setRoomAwaited(awaited: boolean): void {
    calls.bus_set_room_awaited(this.#handle, awaited);
  }

  refuseInvalid(): void {
    calls.bus_refuse_invalid(this.#handle);
  }

  refuseFull(): void {
    calls.bus_refuse_full(this.#handle);
  }

  refuseOversize(): void {
    calls.bus_refuse_oversize(this.#handle);
  }

  scaleUp(count: number): number {
    return calls.bus_scale_up(this.#handle, count);
  }

  scaleDown(count: number): number {
    return calls.bus_scale_down(this.#handle, count);
  }

  stats(): number {
    return calls.bus_stats(this.#handle);
  }

  close(): void {
    calls.bus_close(this.#handle);
  }

  abandonEverything(): void {
    calls.bus_abandon_everything(this.#handle);
  }

  maxEventBytes(): number {
    return calls.bus_max_event_bytes(this.#handle);
  }

  maxKeyBytes(): number {
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
    return this.#handInBatch(bytes) ?? calls.bus_restore(this.#handle);
  }

  /** As `bus_load`, with its argument handed in. */
  load(bytes: Uint8Array): number {
    return this.#handInBatch(bytes) ?? calls.bus_load(this.#handle);
  }

  /** Hands in a batch of the store; returns why it cannot, if it cannot. */
  #handInBatch(bytes: Uint8Array): number | undefined {
    // The limit of a core that is gone is 0.
    if (this.#handle < 0) return RestoreRefusal.NotNow;
    if (bytes.length > calls.bus_max_restored_bytes(this.#handle) >>> 0) {
      return RestoreRefusal.TooLarge;
    }
    return handIn(bytes) ? undefined : RestoreRefusal.NoMemory;
  }

  // `wasm/src/bindings.rs`

  batchBody(): Uint8Array {
    return glue.batch_body(this.#handle);
  }

  batchLens(): Uint32Array {
    return glue.batch_lens(this.#handle);
  }

  batchEncode(): Uint8Array {
    return glue.batch_encode(this.#handle);
  }
}

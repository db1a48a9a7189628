// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,
// `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.

import { call } from "../core/module.js";

/** The calls of one bus; each has a code. */
export abstract class Calls {
  /** Names the bus. */
  abstract handle(): number;

  /** Gives the bus 64 random bits. Call it once, before the first `poll`. */
  seed(high: number, low: number): void {
    call(this.handle(), 0, high, low);
  }

  /**
   * The next thing to do, `nowMs` milliseconds after any fixed point, for the owner of a flush or,
   * if it is -1, for the only host. `wallMs` is the wall clock. Leaves the row that goes with the
   * step.
   */
  poll(flush: number, wallMs: number, nowMs: number): number {
    return call(this.handle(), 1, flush, wallMs, nowMs);
  }

  /** Says that the owner of a flush is alive. Returns whether it sends. */
  lead(flush: number, nowMs: number): boolean {
    return call(this.handle(), 2, flush, nowMs) === 1;
  }

  /** Tells whether the owner of a flush did not poll in time. */
  isSilent(flush: number, nowMs: number): boolean {
    return call(this.handle(), 3, flush, nowMs) === 1;
  }

  /** The host begins a task of its event loop. */
  beginTask(): void {
    call(this.handle(), 4);
  }

  /** Hands out the next batch that was given up, or says that there is none. */
  nextAbandoned(): number {
    return call(this.handle(), 5);
  }

  /** The destination may be back. */
  probe(): void {
    call(this.handle(), 6);
  }

  /**
   * Hands out a batch of at most `maxBytes` bytes although another one of its shard may be in
   * flight: to send, or nothing if there is none. The last events of a shard go first if `newest`.
   */
  pollExit(wallMs: number, nowMs: number, maxBytes: number, newest: boolean): number {
    return call(this.handle(), 7, wallMs, nowMs, maxBytes, newest);
  }

  /** Leaves a row: the batch that was handed out last, without its body. */
  batchHead(): void {
    call(this.handle(), 8);
  }

  /** Leaves the body of the batch that was handed out last. */
  batchBody(): void {
    call(this.handle(), 9);
  }

  /**
   * Leaves the records of its events, which stand one after another in its body with one byte
   * between two: a length of 4 bytes and a timestamp of 8 for each.
   */
  batchRecords(): void {
    call(this.handle(), 10);
  }

  /**
   * Leaves the batch that was handed out last as bytes for a store; none, if there is no memory for
   * them.
   */
  batchEncode(): void {
    call(this.handle(), 11);
  }

  /**
   * Lets go of the batch that was handed out last, so that its bytes are held no longer than they
   * must be.
   */
  forget(): void {
    call(this.handle(), 12);
  }

  /** The lease was delivered. Returns whether it was still live. */
  acknowledge(lease: number, nowMs: number): boolean {
    return call(this.handle(), 13, lease, nowMs) === 1;
  }

  /** The lease failed with this code. Returns whether it was still live. */
  fail(lease: number, code: number, retryAfterMs: number, nowMs: number): boolean {
    return call(this.handle(), 14, lease, code, retryAfterMs, nowMs) === 1;
  }

  /**
   * The receiver answered for single events. The host has handed in pairs of numbers: of
   * consecutive events, and 0 if they were delivered or else one more than the code of their
   * failure. Returns whether the lease was still live.
   */
  settleIncoming(lease: number, retryAfterMs: number, nowMs: number): boolean {
    return call(this.handle(), 15, lease, retryAfterMs, nowMs) === 1;
  }

  /** Takes a batch out whose body has at most `maxBytes` bytes. Returns whether there was one. */
  drain(maxBytes: number): boolean {
    return call(this.handle(), 16, maxBytes) === 1;
  }

  /** Cuts everything into batches and begins to go through all that are not settled. */
  stage(nowMs: number): void {
    call(this.handle(), 17, nowMs);
  }

  /** Goes on to the next staged batch. Returns whether there is one. */
  nextStaged(): boolean {
    return call(this.handle(), 18) === 1;
  }

  /** Takes the staged batch out for good. Returns whether it was there and not leased. */
  release(): boolean {
    return call(this.handle(), 19) === 1;
  }

  /** The store has `count` events of a shard of a run, the first with this sequence number. */
  noteStored(
    nonceHigh: number,
    nonceLow: number,
    shard: number,
    sequence: number,
    count: number,
  ): void {
    call(this.handle(), 20, nonceHigh, nonceLow, shard, sequence, count);
  }

  /**
   * Takes the oldest stored batch out if the store has more than it may. Leaves its head in the
   * row. Returns whether there was one.
   */
  evictStored(): boolean {
    return call(this.handle(), 21) === 1;
  }

  /**
   * Takes in the batch that was to be loaded, which was handed in. Returns 0, or the code of the
   * error.
   */
  loadIncoming(): number {
    return call(this.handle(), 22);
  }

  /** The batch that was to be loaded cannot be read. Returns whether it is lost by now. */
  noteUnreadable(
    nonceHigh: number,
    nonceLow: number,
    shard: number,
    sequence: number,
    isGone: boolean,
  ): boolean {
    return call(this.handle(), 23, nonceHigh, nonceLow, shard, sequence, isGone) === 1;
  }

  /** Takes all leases back. */
  recall(): void {
    call(this.handle(), 24);
  }

  /** Lets batches of earlier runs come back. */
  beginRestore(): void {
    call(this.handle(), 25);
  }

  /** Most bytes that may be handed in for `restoreIncoming`. */
  maxRestoredBytes(): number {
    return call(this.handle(), 26);
  }

  /**
   * Restores the batch of an earlier run that was handed in; then it is the one handed out last.
   * Returns 0, or the code of the error.
   */
  restoreIncoming(): number {
    return call(this.handle(), 27);
  }

  /** Nothing more comes back. */
  endRestore(): void {
    call(this.handle(), 28);
  }

  /** Tells whether more batches may come back, or a restored one is not settled. */
  isRestoring(): boolean {
    return call(this.handle(), 29) === 1;
  }

  /** Tells whether a batch may come back now. */
  wantsRestored(): boolean {
    return call(this.handle(), 30) === 1;
  }

  /** Opens a flush that ends at `endMs`, and returns its id. */
  beginFlush(endMs: number): number {
    return call(this.handle(), 31, endMs);
  }

  /** The code of the progress of a flush. */
  flushState(flush: number): number {
    return call(this.handle(), 32, flush);
  }

  /** Leaves a row: the outcome of everything that the flush covers. */
  flushReport(flush: number): number {
    return call(this.handle(), 33, flush);
  }

  /** Closes a flush. */
  endFlush(flush: number): void {
    call(this.handle(), 34, flush);
  }

  /** Tells whether there is room again. */
  isReady(): boolean {
    return call(this.handle(), 35) === 1;
  }

  /** Says whether somebody waits for room. */
  setRoomAwaited(awaited: boolean): void {
    call(this.handle(), 36, awaited);
  }

  /** Counts an event as refused because it cannot be written as JSON. */
  refuseInvalid(): void {
    call(this.handle(), 37);
  }

  /** Counts an event as refused because it is too large. */
  refuseOversize(): void {
    call(this.handle(), 38);
  }

  /** Counts an event as refused because there is no memory to hand it over. */
  refuseFull(): void {
    call(this.handle(), 39);
  }

  /** Adds `count` shards. Leaves a row: their ids, or a refusal. */
  scaleUp(count: number): number {
    return call(this.handle(), 40, count);
  }

  /** Drains up to `count` shards. Leaves a row: their ids, or a refusal. */
  scaleDown(count: number): number {
    return call(this.handle(), 41, count);
  }

  /**
   * Leaves a row: where every event is, and the age of the oldest one at this time by the wall
   * clock. Returns how many numbers it has.
   */
  stats(wallMs: number): number {
    return call(this.handle(), 42, wallMs);
  }

  /** Refuses all events from now on. */
  close(): void {
    call(this.handle(), 43);
  }

  /** Gives up everything; `poll` hands it out as abandoned. */
  abandonEverything(): void {
    call(this.handle(), 44);
  }

  /** Most bytes of one event. */
  maxEventBytes(): number {
    return call(this.handle(), 45);
  }

  /** Most bytes of a key. */
  maxKeyBytes(): number {
    return call(this.handle(), 46);
  }

  /** The number of events offered. */
  offered(): number {
    return call(this.handle(), 47);
  }

  /** The number of events refused or evicted. */
  lost(): number {
    return call(this.handle(), 48);
  }
}

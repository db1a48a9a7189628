import type { CoreBus } from "../core/core-bus.js";
import { throwUnlessPoisoned } from "../util/detached.js";
import type { Signal } from "../util/platform.js";

/** Somebody who waits for the bus. */
export interface Waiter {
  /** True if it waits for room: then batches do not wait for size or time. */
  readonly awaitsReady: boolean;
  /** Resolves the wait, if it is time. Returns whether it was. */
  check(): boolean;
  /** The bus is closed. */
  close(): void;
  /** The wait is in vain. */
  reject(error: unknown): void;
}

/** All who wait for a bus. While there is one, the bus keeps the process alive. */
export class Waiters {
  readonly #core: CoreBus;
  readonly #setRef: (awaited: boolean) => void;
  readonly #waiters = new Set<Waiter>();
  #readyWaiters = 0;

  /** `setRef` is told whether anybody waits. */
  constructor(core: CoreBus, setRef: (awaited: boolean) => void) {
    this.#core = core;
    this.#setRef = setRef;
  }

  /**
   * Makes a waiter, and waits for its result; rejects with the reason of the signal, if it is aborted
   * first.
   */
  async wait<Result>(
    signal: Signal | undefined,
    make: (resolve: (result: Result) => void, reject: (error: unknown) => void) => Waiter,
  ): Promise<Result> {
    let onAbort = () => {};
    // An emitted event's own code may have aborted it since the caller looked.
    signal?.throwIfAborted();
    try {
      return await new Promise<Result>((resolve, reject) => {
        const waiter = make(resolve, reject);
        this.#add(waiter);
        onAbort = () => {
          if (this.remove(waiter)) reject(signal?.reason);
        };
        signal?.addEventListener("abort", onAbort);
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    this.#setRef(true);
    if (waiter.awaitsReady && this.#readyWaiters++ === 0) this.#core.setRoomAwaited(true);
  }

  /** Returns whether the waiter waited until now. */
  remove(waiter: Waiter): boolean {
    const waited = this.#waiters.delete(waiter);
    this.#setRef(this.#waiters.size > 0);
    if (waited && waiter.awaitsReady && --this.#readyWaiters === 0)
      this.#core.setRoomAwaited(false);
    return waited;
  }

  /** Lets go of those for whom it is time. */
  check(): void {
    for (const waiter of this.#waiters) {
      if (waiter.check()) this.remove(waiter);
    }
  }

  /** The bus is closed, and its core about to go. */
  close(): void {
    for (const waiter of this.#waiters) waiter.close();
    this.#waiters.clear();
  }

  /** A dead module is told to everybody who waits; anything else is a bug of ours. */
  fail(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
    this.#setRef(false);
    throwUnlessPoisoned(error);
  }
}

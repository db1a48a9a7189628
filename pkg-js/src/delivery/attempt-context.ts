import type { DeliveryContext } from "../options.js";

/**
 * Cuts an attempt off. The signal is made on demand, because an `AbortController` costs more than
 * the rest of an attempt, and most callbacks do not use it.
 */
export class LazyAbort {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** The second argument of the callback. */
export class AttemptContext implements DeliveryContext {
  declare readonly signal: AbortSignal;
  readonly attempt: number;
  readonly keepalive: boolean;
  readonly #lazyAbort: LazyAbort;

  /**
   * An own property, so that `{ ...context }` has it; one getter for all, so that all contexts have
   * one hidden class.
   */
  static readonly #signal: PropertyDescriptor & ThisType<AttemptContext> = {
    enumerable: true,
    get() {
      return this.#lazyAbort.signal;
    },
  };

  constructor(lazyAbort: LazyAbort, attempt: number, keepalive: boolean) {
    this.#lazyAbort = lazyAbort;
    this.attempt = attempt;
    this.keepalive = keepalive;
    Object.defineProperty(this, "signal", AttemptContext.#signal);
  }
}

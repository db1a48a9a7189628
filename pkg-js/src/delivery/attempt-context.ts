import type { DeliveryContext } from "../options.js";

/**
 * What cuts an attempt off. Its signal is made when somebody asks for it: a callback that does not
 * should not pay for it, as it costs more than the rest of an attempt.
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

/** What the callback of an attempt gets. */
export class AttemptContext implements DeliveryContext {
  declare readonly signal: AbortSignal;
  readonly attempt: number;
  readonly keepalive: boolean;
  readonly #lazyAbort: LazyAbort;

  /**
   * The object's own, so that it is there in `{ ...context }`; and one function for all, as engines
   * keep what they learn of each.
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

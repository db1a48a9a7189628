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

/**
 * The descriptor of the property `signal`, which is an own one, so that `{ ...context }` has it; one
 * for all, so that all contexts have one hidden class.
 */
let signal: PropertyDescriptor & ThisType<AttemptContext>;

/** The second argument of the callback. */
export class AttemptContext implements DeliveryContext {
  declare readonly signal: AbortSignal;
  readonly attempt: number;
  readonly keepalive: boolean;
  readonly #lazyAbort: LazyAbort;

  static {
    signal = {
      enumerable: true,
      get() {
        return this.#lazyAbort.signal;
      },
    };
  }

  constructor(lazyAbort: LazyAbort, attempt: number, keepalive: boolean) {
    this.#lazyAbort = lazyAbort;
    this.attempt = attempt;
    this.keepalive = keepalive;
    Object.defineProperty(this, "signal", signal);
  }
}

import type { Batch } from "../batch.js";
import type { DeliveryCallback } from "../options.js";
import { elapsed } from "../util/clock.js";

/**
 * The method of a bus that adds a listener to its attempts, and returns a function that removes it:
 * for `observeBus`. Registered, so that another copy of this package finds it; the number counts
 * changes of its meaning.
 */
export const observeAttempts: unique symbol = /* @__PURE__ */ Symbol.for("shardbus.attempts.1");

/** An attempt that has ended. */
export interface EndedAttempt {
  readonly durationMs: number;
  /** The error of the callback, or the reason for which the attempt was cut off. */
  readonly error?: unknown;
  /** The result of the callback. */
  readonly result?: unknown;
}

/** Called at the end of each attempt. */
export type AttemptListener = (attempt: EndedAttempt, batch: Batch) => void;

/** Tells listeners of the callback's attempts; without one, it costs nothing. */
export function timeAttempts<T>(
  listeners: ReadonlySet<AttemptListener>,
  callback: DeliveryCallback<T>,
): DeliveryCallback<T> {
  return (batch, context) => {
    if (listeners.size === 0) return callback(batch, context);
    const start = elapsed();
    let isOver = false;
    const end = (outcome: Omit<EndedAttempt, "durationMs">) => {
      // The callback's answer may come after its time was up.
      if (isOver) return;
      isOver = true;
      for (const listener of listeners) {
        listener({ ...outcome, durationMs: elapsed() - start }, batch);
      }
    };
    const { signal } = context;
    signal.addEventListener("abort", () => end({ error: signal.reason }), { once: true });
    const attempt = (async () => callback(batch, context))();
    attempt.then(
      (result) => end({ result }),
      (error) => end({ error }),
    );
    return attempt;
  };
}

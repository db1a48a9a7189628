import type { CoreBatch } from "../batch.js";
import type { Delivery } from "../options.js";

/** Calls a user's handler for every delivery; an error of the handler stops nothing. */
export function deliveryReporter<T>(
  onDelivered: ((delivery: Delivery<T>) => void) | undefined,
): (batch: CoreBatch<T>, attempt: number, count: number) => void {
  if (onDelivered === undefined) return () => {};
  // Async, so that a handler that throws is one that rejects.
  const tell = async (delivery: Delivery<T>) => onDelivered(delivery);
  return (batch, attempt, count) => {
    tell({ batch, attempt, count }).catch((error) => {
      console.error("shardbus: the `onDelivered` handler threw", error);
    });
  };
}

import type { BatchStore } from "../outbox/batch-store.js";
import { withOutbox } from "../outbox/outbox.js";

/**
 * Makes a store of your own one that a bus takes. It is the same object.
 *
 * @example
 * ```ts
 * const bus = new EventBus(send, { store: customStore({ open, read, write, remove }) });
 * ```
 */
export function customStore<S extends BatchStore>(store: S): S {
  return withOutbox(store);
}

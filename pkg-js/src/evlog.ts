import type { EventBus } from "./event-bus.js";
import { emitRecord } from "./internal.js";

/** The used part of evlog's `DrainContext`. */
export interface EvlogContext {
  readonly event: object;
}

/**
 * A drain of evlog: each wide event is one event. It takes the place of `createDrainPipeline`: the
 * bus batches, retries and holds the bound.
 *
 * @example
 * ```ts
 * initLogger({ drain: evlogDrain(bus) });
 * ```
 */
export function evlogDrain(
  bus: Pick<EventBus, "ingest">,
): (context: EvlogContext | readonly EvlogContext[]) => void {
  return (context) => {
    // Drains of browsers get several at once.
    for (const { event } of Array.isArray(context) ? context : [context]) emitRecord(bus, event);
  };
}

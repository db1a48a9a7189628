import { isShardbusError } from "./errors/shardbus-error.js";
import type { EventBus } from "./event-bus.js";

/** The codes of refusals, which the bus counts and tells to `onDrop`. */
const REFUSALS = ["ERR_INVALID_EVENT", "ERR_EVENT_TOO_LARGE", "ERR_BACKPRESSURE"];

/** Buses that take nothing any more; each is told of once. */
const failed = new WeakSet<object>();

/** Offers a line of a logger, with or without its newline, and like `bus.emit` never throws. */
export function emitLine(bus: Pick<EventBus, "ingestRaw">, line: string): void {
  const text = line.endsWith("\n") ? line.slice(0, -1) : line;
  if (text !== "") offer(bus, () => bus.ingestRaw(text));
}

/**
 * Offers a record of a logger, and like `bus.emit` never throws. It is serialised now: the program may
 * change the record's objects in this turn, and the record is of the time before.
 */
export function emitRecord(bus: Pick<EventBus, "ingest">, record: unknown): void {
  offer(bus, () => bus.ingest(record));
}

function offer(bus: object, task: () => void): void {
  try {
    task();
  } catch (error) {
    if ((isShardbusError(error) && REFUSALS.includes(error.code)) || failed.has(bus)) return;
    failed.add(bus);
    console.error("shardbus: the bus cannot take lines any more", error);
  }
}

import type { EventBus } from "./event-bus.js";
import { emitRecord } from "./internal.js";

/** The options of winston's `Transport` that a {@linkcode winstonTransport} leaves to you. */
export interface WinstonTransportOptions {
  /** The least severe level; that of the logger, if it is left out. */
  readonly level?: string | undefined;
  readonly silent?: boolean | undefined;
  readonly handleExceptions?: boolean | undefined;
  readonly handleRejections?: boolean | undefined;
  /** A format of logform. */
  readonly format?: unknown;
}

/** winston's class `Transport`. */
export type WinstonTransportClass<T> = new (options: never) => T;

/**
 * A transport of winston: each `info`, after the formats, is one event.
 *
 * @example
 * ```ts
 * const logger = winston.createLogger({ transports: [winstonTransport(winston.Transport, bus)] });
 * ```
 * @param Transport `winston.Transport`, or the module `winston-transport`.
 */
export function winstonTransport<T>(
  Transport: WinstonTransportClass<T>,
  bus: Pick<EventBus, "ingest">,
  options: WinstonTransportOptions = {},
): T {
  const log = (info: unknown, next: () => void) => {
    emitRecord(bus, info);
    next();
  };
  return new Transport({ ...options, log } as never);
}

import type { EventBus } from "./event-bus.js";
import { emitLine, emitRecord } from "./internal.js";

/** The used part of a `LogRecord` of LogTape. */
export interface LogTapeRecord {
  readonly category: readonly string[];
  readonly level: string;
  /** Texts and values by turns. */
  readonly message: readonly unknown[];
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The event of a log record. */
export interface LogTapeEvent {
  readonly timestamp: number;
  readonly level: string;
  readonly category: readonly string[];
  readonly message: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * A sink of LogTape: each record is one event. A `formatter` of LogTape's own that writes one JSON
 * text, such as `jsonLinesFormatter`, makes events of another form.
 *
 * @example
 * ```ts
 * await configure({
 *   sinks: { bus: logtapeSink(bus) },
 *   loggers: [{ category: "app", sinks: ["bus"] }],
 * });
 * ```
 */
export function logtapeSink<R extends LogTapeRecord = LogTapeRecord>(
  bus: Pick<EventBus, "ingest" | "ingestRaw">,
  formatter?: (record: R) => string,
): (record: R) => void {
  if (formatter === undefined) return (record) => emitRecord(bus, eventOf(record));
  return (record) => emitLine(bus, formatter(record));
}

function eventOf({ timestamp, level, category, message, properties }: LogTapeRecord): LogTapeEvent {
  return { timestamp, level, category, message: message.map(textOf).join(""), properties };
}

function textOf(part: unknown): string {
  if (typeof part !== "object" || part === null || part instanceof Error) return String(part);
  try {
    return JSON.stringify(part);
  } catch {
    return String(part);
  }
}

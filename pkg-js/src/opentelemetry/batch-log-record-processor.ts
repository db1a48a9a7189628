import { BatchProcessor, type ProcessorKind } from "./batch-processor.js";
import { LOGS } from "./otlp-messages.js";
import { type BatchProcessorOptions, joinOptions } from "./processor-options.js";
import type { ExporterLike, LogRecordLike } from "./sdk-types.js";

const KIND: ProcessorKind<LogRecordLike> = {
  name: "BatchLogRecordProcessor",
  prefix: "OTEL_BLRP",
  scheduledDelayMillis: 1000,
  signal: LOGS,
  observed: "log",
  rejects: false,
};

/** Options of a {@linkcode BatchLogRecordProcessor}. */
export type BatchLogRecordProcessorOptions = BatchProcessorOptions<LogRecordLike>;

/**
 * In place of the SDK's `BatchLogRecordProcessor`, with its constructor and its options. Without an
 * exporter it sends OTLP itself: records are encoded as they come, and wait as bytes.
 *
 * @example
 * ```ts
 * new LoggerProvider({ processors: [new BatchLogRecordProcessor()] });
 * new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] });
 * ```
 */
export class BatchLogRecordProcessor extends BatchProcessor<LogRecordLike> {
  /** @throws {InvalidOptionError} if an option has a wrong value. */
  constructor(options?: BatchLogRecordProcessorOptions);
  /** The form of SDK 2. */
  constructor(exporter: ExporterLike<LogRecordLike>, options?: BatchLogRecordProcessorOptions);
  constructor(
    first?: ExporterLike<LogRecordLike> | BatchLogRecordProcessorOptions,
    second?: BatchLogRecordProcessorOptions,
  ) {
    super(KIND, joinOptions(first, second));
  }

  protected get _finishedLogRecords(): LogRecordLike[] {
    return this._pending;
  }

  /** Takes a log record. */
  onEmit(record: LogRecordLike): void {
    this.add(record);
  }
}

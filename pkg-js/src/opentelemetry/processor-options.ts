import type { MeterProvider } from "@opentelemetry/api";
import { diag } from "@opentelemetry/api";
import { InvalidOptionError, show } from "../internal.js";
import type { EventBusOptions } from "../options.js";
import { OTLP_OPTIONS, type OtlpOptions, reader, toNumber } from "./otlp-options.js";
import type { ExporterLike } from "./sdk-types.js";

/** Options of the bus within a processor or a `LoggerProvider`. */
export type InnerBusOptions = Omit<EventBusOptions, "format" | "key" | "store">;

/** The limits of a queue, under upstream's names. */
export interface QueueOptions {
  /**
   * Most records of one export.
   * @default 512, or `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` or `OTEL_BLRP_…`
   */
  readonly maxExportBatchSize?: number | undefined;
  /**
   * Most records that wait; further ones are dropped and counted.
   * @default 2048 with an exporter, 65535 without; or `OTEL_BSP_MAX_QUEUE_SIZE` or `OTEL_BLRP_…`
   */
  readonly maxQueueSize?: number | undefined;
  /**
   * Records leave when the oldest of them has waited this long, in milliseconds.
   * @default 5000 for spans, 1000 for log records; or `OTEL_BSP_SCHEDULE_DELAY` or `OTEL_BLRP_…`
   */
  readonly scheduledDelayMillis?: number | undefined;
  /**
   * The longest time of one export, in milliseconds.
   * @default 30000 with an exporter, 10000 without; or `OTEL_BSP_EXPORT_TIMEOUT` or `OTEL_BLRP_…`
   */
  readonly exportTimeoutMillis?: number | undefined;
  /** In a page: do not send records when the page is hidden or left. */
  readonly disableAutoFlushOnDocumentHide?: boolean | undefined;
  /** The provider of the meter for the processor's own metrics. */
  readonly selfObsMeterProvider?: MeterProvider | undefined;
  /**
   * Called with the error of each export that failed, such as `globalErrorHandler` of
   * `@opentelemetry/core`.
   * @default `diag.error` of `@opentelemetry/api`
   */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Options of the processor's bus, such as `onDrop`, `waitUntil` or `maxBytes`. */
  readonly bus?: InnerBusOptions | undefined;
}

/** Options of a batch processor: with an exporter, or with a receiver that gets OTLP over HTTP. */
export interface BatchProcessorOptions<R> extends QueueOptions, OtlpOptions {
  /** Any exporter; without one, the processor sends OTLP itself. */
  readonly exporter?: ExporterLike<R> | undefined;
}

/** The options, with all defaults. */
export interface Limits {
  readonly maxExportBatchSize: number;
  readonly maxQueueSize: number;
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
}

/** The differences between the kinds of processors. */
export interface Kind {
  readonly name: "BatchSpanProcessor" | "BatchLogRecordProcessor";
  /** The beginning of its environment variables. */
  readonly prefix: "OTEL_BSP" | "OTEL_BLRP";
  readonly scheduledDelayMillis: number;
}

/** Puts together the two forms of upstream's constructors: `(options)` and `(exporter, options)`. */
export function joinOptions<R>(
  first: ExporterLike<R> | BatchProcessorOptions<R> | undefined,
  second: BatchProcessorOptions<R> | undefined,
): BatchProcessorOptions<R> {
  const isExporter = typeof (first as ExporterLike<R> | undefined)?.export === "function";
  const options = (
    isExporter ? { ...second, exporter: first } : (first ?? {})
  ) as BatchProcessorOptions<R>;
  const { exporter } = options;
  if (exporter === undefined) return options;
  if (typeof exporter?.export !== "function") {
    throw new InvalidOptionError(
      "exporter",
      `\`exporter\` is ${show(exporter)}, but it must be an exporter; leave it out to send OTLP without one`,
    );
  }
  const own = OTLP_OPTIONS.find((name) => options[name] !== undefined);
  if (own === undefined) return options;
  throw new InvalidOptionError(
    own,
    `\`${own}\` is an option of a processor without an exporter; give it to the exporter`,
  );
}

/** The limits as options and environment have them. */
export function limitsOf(
  { name, prefix, scheduledDelayMillis }: Kind,
  options: BatchProcessorOptions<never>,
  defaults: Pick<Limits, "maxQueueSize" | "exportTimeoutMillis">,
): Limits {
  const read = reader(options.env);
  const variable = (end: string) => toNumber(read(`${prefix}_${end}`));
  const maxQueueSize = options.maxQueueSize ?? variable("MAX_QUEUE_SIZE") ?? defaults.maxQueueSize;
  let maxExportBatchSize = options.maxExportBatchSize ?? variable("MAX_EXPORT_BATCH_SIZE") ?? 512;
  if (maxExportBatchSize > maxQueueSize) {
    diag.warn(
      `${name}: maxExportBatchSize must be smaller or equal to maxQueueSize, setting maxExportBatchSize to match maxQueueSize`,
    );
    maxExportBatchSize = maxQueueSize;
  }
  return {
    maxExportBatchSize,
    maxQueueSize,
    scheduledDelayMillis:
      options.scheduledDelayMillis ?? variable("SCHEDULE_DELAY") ?? scheduledDelayMillis,
    exportTimeoutMillis:
      options.exportTimeoutMillis ?? variable("EXPORT_TIMEOUT") ?? defaults.exportTimeoutMillis,
  };
}

/** The options of the bus that follow from a processor's. */
export function busOptions(limits: Limits, options: QueueOptions): EventBusOptions {
  const { maxExportBatchSize: size } = limits;
  // Upstream takes 0, for the next task.
  const maxDelayMs = limits.scheduledDelayMillis || 1;
  const lifecycle = options.disableAutoFlushOnDocumentHide === true ? "manual" : "auto";
  return {
    // As upstream: a full queue keeps its records.
    backpressure: "drop-newest",
    // One slot stays free.
    capacity: limits.maxQueueSize + 1,
    timeoutMs: limits.exportTimeoutMillis,
    lifecycle,
    ...options.bus,
    batch: { minSize: size, maxSize: size, adaptive: false, maxDelayMs, ...options.bus?.batch },
  };
}

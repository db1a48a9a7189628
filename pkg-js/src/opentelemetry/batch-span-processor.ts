import { diag, TraceFlags } from "@opentelemetry/api";
import { BatchProcessor, type ProcessorKind } from "./batch-processor.js";
import { TRACES } from "./otlp-messages.js";
import { type BatchProcessorOptions, joinOptions } from "./processor-options.js";
import type { ExporterLike, SpanLike } from "./sdk-types.js";

const KIND: ProcessorKind<SpanLike> = {
  name: "BatchSpanProcessor",
  prefix: "OTEL_BSP",
  scheduledDelayMillis: 5000,
  signal: TRACES,
  observed: "span",
  rejects: true,
};

/** Options of a {@linkcode BatchSpanProcessor}. */
export type BatchSpanProcessorOptions = BatchProcessorOptions<SpanLike>;

/**
 * In place of the SDK's `BatchSpanProcessor`, with its constructor and its options. Without an
 * exporter it sends OTLP itself: spans are encoded as they end, and wait as bytes.
 *
 * @example
 * ```ts
 * new TracerProvider({ spanProcessors: [new BatchSpanProcessor()] });
 * new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
 * ```
 */
export class BatchSpanProcessor extends BatchProcessor<SpanLike> {
  private _droppedSpansCount = 0;

  /** @throws {InvalidOptionError} if an option has a wrong value. */
  constructor(options?: BatchSpanProcessorOptions);
  /** The form of SDK 2. */
  constructor(exporter: ExporterLike<SpanLike>, options?: BatchSpanProcessorOptions);
  constructor(
    first?: ExporterLike<SpanLike> | BatchSpanProcessorOptions,
    second?: BatchSpanProcessorOptions,
  ) {
    super(KIND, joinOptions(first, second));
  }

  protected get _finishedSpans(): SpanLike[] {
    return this._pending;
  }

  /** Does nothing. */
  onStart(): void {}

  /** Takes a span that has ended, if it is sampled. */
  onEnd(span: SpanLike): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
    const before = this._droppedSpansCount;
    this.add(span);
    if (before === 0 || this._droppedSpansCount > before) return;
    diag.warn(`Dropped ${before} spans because maxQueueSize reached`);
    this._droppedSpansCount = 0;
  }

  protected override onFull(): void {
    if (this._droppedSpansCount === 0) diag.debug("maxQueueSize reached, dropping spans");
    this._droppedSpansCount++;
  }
}

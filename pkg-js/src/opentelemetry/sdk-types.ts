// The used parts of OpenTelemetry's SDK, versions 2 and 3, as structures: its packages need not be
// installed for these types.

import type { Attributes, HrTime, SpanContext, SpanStatus } from "@opentelemetry/api";

/** A `Resource`. */
export interface ResourceLike {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly schemaUrl?: string | undefined;
  readonly asyncAttributesPending?: boolean | undefined;
  waitForAsyncAttributes?(): Promise<void>;
}

/** An `InstrumentationScope`. */
export interface ScopeLike {
  readonly name: string;
  readonly version?: string | undefined;
  readonly schemaUrl?: string | undefined;
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
  readonly droppedAttributesCount?: number | undefined;
}

/** The common part of a span and a log record. */
export interface RecordLike {
  readonly resource: ResourceLike;
  readonly instrumentationScope: ScopeLike;
}

/** A `ReadableLogRecord`. */
export interface LogRecordLike extends RecordLike {
  readonly hrTime: HrTime;
  readonly hrTimeObserved: HrTime;
  readonly spanContext?: SpanContext | undefined;
  readonly severityNumber?: number | undefined;
  readonly severityText?: string | undefined;
  readonly body?: unknown;
  readonly eventName?: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly droppedAttributesCount: number;
}

/** A `ReadableSpan`. */
export interface SpanLike extends RecordLike {
  readonly name: string;
  readonly kind: number;
  readonly spanContext: () => SpanContext;
  readonly parentSpanContext?: SpanContext | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly events: readonly SpanEventLike[];
  readonly links: readonly SpanLinkLike[];
  readonly droppedAttributesCount: number;
  readonly droppedEventsCount: number;
  readonly droppedLinksCount: number;
}

/** A `TimedEvent`. */
export interface SpanEventLike {
  readonly time: HrTime;
  readonly name: string;
  readonly attributes?: Attributes | undefined;
  readonly droppedAttributesCount?: number | undefined;
}

/** A `Link`. */
export interface SpanLinkLike {
  readonly context: SpanContext;
  readonly attributes?: Attributes | undefined;
  readonly droppedAttributesCount?: number | undefined;
}

/** A `SpanExporter` or a `LogRecordExporter`. */
export interface ExporterLike<R> {
  export(records: R[], done: (result: ExportResultLike) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

/** An `ExportResult`; code 0 is success. */
export interface ExportResultLike {
  readonly code: number;
  readonly error?: Error | undefined;
}

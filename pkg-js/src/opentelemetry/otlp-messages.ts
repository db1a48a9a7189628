// The messages of the OpenTelemetry protocol (opentelemetry/proto, 1.10): the number of each field
// in protobuf, its name in JSON, and where its value comes from. Both encodings follow these tables.

import type { HrTime, SpanContext } from "@opentelemetry/api";
import type {
  LogRecordLike,
  ResourceLike,
  ScopeLike,
  SpanEventLike,
  SpanLike,
  SpanLinkLike,
} from "./sdk-types.js";

/**
 * The type of a field: seconds and nanoseconds as `fixed64`, a varint, a `fixed32`, text, an id in
 * hexadecimal digits, an `AnyValue`, attributes, or messages (one, or a list of them).
 */
export type FieldType =
  | "time"
  | "uint"
  | "fixed32"
  | "text"
  | "id"
  | "value"
  | "attributes"
  | Message<never>;

/** One field. A value that is missing, 0 or empty is not written. */
export interface Field<R> {
  readonly number: number;
  readonly name: string;
  readonly type: FieldType;
  readonly read: (record: R) => unknown;
}

/** The fields of a message. */
export type Message<R> = readonly Field<R>[];

function field<R>(
  number: number,
  name: string,
  type: FieldType,
  read: (record: R) => unknown,
): Field<R> {
  return { number, name, type, read };
}

/** The trace flags, and whether the parent is known to be in another process. */
const spanFlags = ({ traceFlags }: SpanContext, isRemote: boolean | undefined): number =>
  (traceFlags & 0xff) | 0x100 | (isRemote ? 0x200 : 0);

export const logRecord: Message<LogRecordLike> = [
  field(1, "timeUnixNano", "time", (log) => log.hrTime),
  field(2, "severityNumber", "uint", (log) => log.severityNumber),
  field(3, "severityText", "text", (log) => log.severityText),
  field(5, "body", "value", (log) => log.body),
  field(6, "attributes", "attributes", (log) => log.attributes),
  field(7, "droppedAttributesCount", "uint", (log) => log.droppedAttributesCount),
  field(8, "flags", "fixed32", (log) => log.spanContext?.traceFlags),
  field(9, "traceId", "id", (log) => log.spanContext?.traceId),
  field(10, "spanId", "id", (log) => log.spanContext?.spanId),
  field(11, "observedTimeUnixNano", "time", (log) => log.hrTimeObserved),
  field(12, "eventName", "text", (log) => log.eventName),
];

const spanEvent: Message<SpanEventLike> = [
  field(1, "timeUnixNano", "time", (event) => event.time),
  field(2, "name", "text", (event) => event.name),
  field(3, "attributes", "attributes", (event) => event.attributes),
  field(4, "droppedAttributesCount", "uint", (event) => event.droppedAttributesCount),
];

const spanLink: Message<SpanLinkLike> = [
  field(1, "traceId", "id", (link) => link.context.traceId),
  field(2, "spanId", "id", (link) => link.context.spanId),
  field(3, "traceState", "text", (link) => link.context.traceState?.serialize()),
  field(4, "attributes", "attributes", (link) => link.attributes),
  field(5, "droppedAttributesCount", "uint", (link) => link.droppedAttributesCount),
  field(6, "flags", "fixed32", ({ context }) => spanFlags(context, context.isRemote)),
];

const spanStatus: Message<SpanLike["status"]> = [
  field(2, "message", "text", (status) => status.message),
  field(3, "code", "uint", (status) => status.code),
];

export const span: Message<SpanLike> = [
  field(1, "traceId", "id", (it) => it.spanContext().traceId),
  field(2, "spanId", "id", (it) => it.spanContext().spanId),
  field(3, "traceState", "text", (it) => it.spanContext().traceState?.serialize()),
  field(4, "parentSpanId", "id", (it) => it.parentSpanContext?.spanId),
  field(5, "name", "text", (it) => it.name),
  // The API counts from 0, the protocol from 1.
  field(6, "kind", "uint", (it) => it.kind + 1),
  field(7, "startTimeUnixNano", "time", (it) => it.startTime),
  field(8, "endTimeUnixNano", "time", (it) => it.endTime),
  field(9, "attributes", "attributes", (it) => it.attributes),
  field(10, "droppedAttributesCount", "uint", (it) => it.droppedAttributesCount),
  field(11, "events", spanEvent, (it) => it.events),
  field(12, "droppedEventsCount", "uint", (it) => it.droppedEventsCount),
  field(13, "links", spanLink, (it) => it.links),
  field(14, "droppedLinksCount", "uint", (it) => it.droppedLinksCount),
  field(15, "status", spanStatus, (it) => it.status),
  field(16, "flags", "fixed32", (it) =>
    spanFlags(it.spanContext(), it.parentSpanContext?.isRemote),
  ),
];

export const resource: Message<ResourceLike> = [
  field(1, "attributes", "attributes", (it) => it.attributes),
];

export const scope: Message<ScopeLike> = [
  field(1, "name", "text", (it) => it.name),
  field(2, "version", "text", (it) => it.version),
  field(3, "attributes", "attributes", (it) => it.attributes),
  field(4, "droppedAttributesCount", "uint", (it) => it.droppedAttributesCount),
];

/** Tells whether a number is written as an `int64`; any other one is a `double`. */
export const isInt64 = (value: number): boolean =>
  Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;

/** Seconds from 1970 on whose nanoseconds fit into 64 bits. */
const MAX_SECONDS = 2 ** 34;

/**
 * A time in whole seconds, and in nanoseconds of less than a second.
 *
 * @throws {RangeError} if the protocol cannot express it: receivers refuse whole requests for it.
 */
export function checkedTime([seconds, nanos]: HrTime): HrTime {
  const carry = Math.floor(nanos / 1e9);
  const whole = Math.trunc(seconds) + carry;
  if (whole >= 0 && whole < MAX_SECONDS) return [whole, Math.trunc(nanos) - carry * 1e9];
  throw new RangeError(`The time [${seconds}, ${nanos}] is not between 1970 and 2514`);
}

/**
 * A number of a field that has no sign.
 *
 * @throws {RangeError} if the protocol cannot express it.
 */
export function checkedUint(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value;
  throw new RangeError(`${value} is no whole number from 0 to 2^32 - 1`);
}

/** One kind of telemetry: the end of its URL, and the names of its messages. */
export interface Signal<R> {
  /** Also the part of the environment variables' names. */
  readonly name: "logs" | "traces";
  readonly record: Message<R>;
  readonly resources: string;
  readonly scopes: string;
  readonly records: string;
  readonly rejected: string;
}

export const LOGS: Signal<LogRecordLike> = {
  name: "logs",
  record: logRecord,
  resources: "resourceLogs",
  scopes: "scopeLogs",
  records: "logRecords",
  rejected: "rejectedLogRecords",
};

export const TRACES: Signal<SpanLike> = {
  name: "traces",
  record: span,
  resources: "resourceSpans",
  scopes: "scopeSpans",
  records: "spans",
  rejected: "rejectedSpans",
};

import {
  type Context,
  context,
  type HrTime,
  isSpanContextValid,
  type TimeInput,
  trace,
} from "@opentelemetry/api";
import type { EventBus } from "../event-bus.js";
import { BatchLogRecordProcessor } from "./batch-log-record-processor.js";
import { type OtlpOptions, parsePairs, reader } from "./otlp-options.js";
import type { QueueOptions } from "./processor-options.js";
import type { ScopeLike } from "./sdk-types.js";

/** A `LogRecord` of `@opentelemetry/api-logs`. */
export interface EmittedLogRecord {
  readonly eventName?: string | undefined;
  readonly timestamp?: TimeInput | undefined;
  readonly observedTimestamp?: TimeInput | undefined;
  readonly severityNumber?: number | undefined;
  readonly severityText?: string | undefined;
  readonly body?: unknown;
  readonly attributes?: Readonly<Record<string, unknown>> | undefined;
  readonly exception?: unknown;
  readonly context?: Context | undefined;
}

/** A `Logger` of `@opentelemetry/api-logs`. */
export interface BusLogger {
  /** Takes a log record. It is encoded now. */
  emit(record: EmittedLogRecord): void;
  /** True until the provider is shut down. */
  enabled(): boolean;
}

/** Options of a {@linkcode LoggerProvider}. */
export interface LoggerProviderOptions extends QueueOptions, OtlpOptions {
  /**
   * Attributes of the program, beside those of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`.
   * @default { "service.name": "unknown_service" }
   */
  readonly resource?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * A `LoggerProvider` of `@opentelemetry/api-logs` without the SDK: log records are encoded as they
 * come, and sent to an OTLP receiver.
 *
 * @example
 * ```ts
 * import { logs } from "@opentelemetry/api-logs";
 * logs.setGlobalLoggerProvider(new LoggerProvider({ resource: { "service.name": "shop" } }));
 * ```
 */
export class LoggerProvider {
  /** The bus of the records: for `stats()`, `waitUntil(ctx)` and `observeBus`. */
  readonly bus: EventBus;
  readonly #processor: BatchLogRecordProcessor;
  readonly #resource: { readonly attributes: Readonly<Record<string, unknown>> };
  #isShutDown = false;

  /** @throws {InvalidOptionError} if an option has a wrong value. */
  constructor({ resource, ...options }: LoggerProviderOptions = {}) {
    const read = reader(options.env);
    const name = read("OTEL_SERVICE_NAME");
    const attributes = {
      "service.name": "unknown_service",
      ...parsePairs(read("OTEL_RESOURCE_ATTRIBUTES")),
      ...(name !== undefined && { "service.name": name }),
      ...resource,
    };
    this.#resource = { attributes };
    this.#processor = new BatchLogRecordProcessor(options);
    this.bus = this.#processor.bus;
  }

  /** A logger, whose records have this name and version as their scope. */
  getLogger(
    name: string,
    version?: string,
    options?: Pick<ScopeLike, "schemaUrl" | "attributes">,
  ): BusLogger {
    const scope = { name, version, ...options };
    return {
      emit: (record) => this.#emit(scope, record),
      enabled: () => !this.#isShutDown,
    };
  }

  #emit(instrumentationScope: ScopeLike, record: EmittedLogRecord): void {
    const now = toHrTime(Date.now());
    const spanContext = trace.getSpanContext(record.context ?? context.active());
    const { timestamp, observedTimestamp, exception, attributes = {} } = record;
    this.#processor.onEmit({
      resource: this.#resource,
      instrumentationScope,
      hrTime: timestamp === undefined ? now : toHrTime(timestamp),
      hrTimeObserved: observedTimestamp === undefined ? now : toHrTime(observedTimestamp),
      spanContext: spanContext && isSpanContextValid(spanContext) ? spanContext : undefined,
      severityNumber: record.severityNumber,
      severityText: record.severityText,
      body: record.body,
      eventName: record.eventName,
      // Read when the record is encoded: then an exception that cannot be read costs its record alone.
      get attributes() {
        if (exception === undefined || exception === null) return attributes;
        return { ...exceptionAttributes(exception), ...attributes };
      },
      droppedAttributesCount: 0,
    });
  }

  /** Sends all records that wait now, and resolves when that is done. */
  forceFlush(): Promise<void> {
    return this.#processor.forceFlush();
  }

  /** Sends all records, and closes the bus. Further records are ignored. */
  shutdown(): Promise<void> {
    this.#isShutDown = true;
    return this.#processor.shutdown();
  }
}

/** Seconds and nanoseconds since the epoch. */
function toHrTime(time: TimeInput): HrTime {
  if (Array.isArray(time)) return time;
  let ms = Number(time);
  // As in the SDK, a small number is one of `performance.now()`.
  if (typeof time === "number" && ms < performance.timeOrigin / 2) ms += performance.timeOrigin;
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.min(Math.round((ms - seconds * 1000) * 1e6), 999_999_999)];
}

/** The attributes of an exception, by the semantic conventions. */
function exceptionAttributes(exception: unknown): Record<string, unknown> {
  if (typeof exception !== "object") return { "exception.message": String(exception) };
  const { name, code, message, stack } = exception as Error & { readonly code?: unknown };
  return {
    "exception.type": code === undefined ? name : String(code),
    "exception.message": message,
    "exception.stacktrace": stack,
  };
}

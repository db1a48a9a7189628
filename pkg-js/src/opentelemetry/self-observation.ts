import type {
  Attributes,
  BatchObservableResult,
  MeterProvider,
  Observable,
} from "@opentelemetry/api";

/** The observed processor. */
export interface Observed {
  readonly capacity: number;
  /** The number of records that wait. */
  readonly size: () => number;
  /** The number of records whose processing has ended: by the error's type, or without one. */
  readonly processed: () => Iterable<readonly [errorType: string | undefined, count: number]>;
}

const processors = { span: 0, log: 0 };

/**
 * Observes a processor by the semantic conventions of SDKs: `otel.sdk.processor.….processed`,
 * `.queue.size` and `.queue.capacity`. Returns a function that ends it.
 */
export function observeProcessor(
  kind: "span" | "log",
  provider: MeterProvider | undefined,
  { capacity, size, processed }: Observed,
): () => void {
  if (provider === undefined) return () => {};
  const [type, unit] =
    kind === "span"
      ? ["batching_span_processor", "{span}"]
      : ["batching_log_processor", "{log_record}"];
  const attributes: Attributes = {
    "otel.component.type": type,
    "otel.component.name": `${type}/${processors[kind]++}`,
  };
  const meter = provider.getMeter(`@opentelemetry/sdk-${kind === "span" ? "trace" : "logs"}`);
  const prefix = `otel.sdk.processor.${kind}`;
  const counter = meter.createObservableCounter(`${prefix}.processed`, {
    unit,
    description: "The number of records whose processing has finished, successful or failed",
  });
  const queueSize = meter.createObservableUpDownCounter(`${prefix}.queue.size`, {
    unit,
    description: "The number of records in the queue",
  });
  const queueCapacity = meter.createObservableUpDownCounter(`${prefix}.queue.capacity`, {
    unit,
    description: "The greatest number of records that the queue holds",
  });
  const observables: Observable[] = [counter, queueSize, queueCapacity];
  const observe = (result: BatchObservableResult) => {
    result.observe(queueSize, size(), attributes);
    result.observe(queueCapacity, capacity, attributes);
    for (const [errorType, count] of processed()) {
      if (count === 0) continue;
      const more = errorType === undefined ? {} : { "error.type": errorType };
      result.observe(counter, count, { ...attributes, ...more });
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}

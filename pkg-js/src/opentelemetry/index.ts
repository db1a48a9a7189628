export { type Observed, observeBus } from "../otel.js";
export type { HeaderList } from "../sinks/http.js";
export {
  BatchLogRecordProcessor,
  type BatchLogRecordProcessorOptions,
} from "./batch-log-record-processor.js";
export type { BatchProcessor } from "./batch-processor.js";
export { BatchSpanProcessor, type BatchSpanProcessorOptions } from "./batch-span-processor.js";
export {
  type BusLogger,
  type EmittedLogRecord,
  LoggerProvider,
  type LoggerProviderOptions,
} from "./logger-provider.js";
export type { Environment, OtlpOptions } from "./otlp-options.js";
export type { BatchProcessorOptions, InnerBusOptions, QueueOptions } from "./processor-options.js";
export type * from "./sdk-types.js";

// The exports of every entry.
export type { Batch } from "./batch.js";
export type { RequestContext } from "./delivery/request-context.js";
export type { FlushReport } from "./delivery/scheduler.js";
export type { WaitUntilOptions } from "./delivery/wait-until.js";
export type {
  DeliveryErrorOptions,
  ErrorCode,
  ScalingRefusal,
  StoreOperation,
} from "./errors/index.js";
export type { EventOutcomes } from "./event-outcomes.js";
export type { FlushCounts } from "./generated/stats.js";
export type { IngestOptions, Receipt } from "./ingest/ingestor.js";
export {
  BackpressureError,
  ClosedError,
  DeliveryError,
  EventBus,
  EventTooLargeError,
  InvalidEventError,
  InvalidOptionError,
  isShardbusError,
  NotInitializedError,
  PoisonedError,
  ScalingError,
  ShardbusError,
  StoreError,
  TimeoutError,
  WasmUnavailableError,
} from "./internal.js";
export type {
  Backpressure,
  BatchOptions,
  BusLimits,
  Delivery,
  DeliveryCallback,
  DeliveryContext,
  DrainOptions,
  Drop,
  DropReason,
  EventBusOptions,
  ReadyOptions,
  RejectReason,
  RetryOptions,
  ScalingOptions,
  WaitOptions,
} from "./options.js";
export type { BatchStore } from "./outbox/batch-store.js";
export type { BusCounts, BusStats, LastError, ShardStats, StoreStats } from "./stats.js";
export type {
  Bytes,
  FetchHeaders,
  FetchInit,
  FetchResponse,
  HttpResponse,
  Signal,
  Url,
  WasmModule,
} from "./util/platform.js";

// What every entry exports.
export type { Batch } from "./batch.js";
export type {
  DeliveryErrorOptions,
  ErrorCode,
  ScalingRefusal,
  StoreOperation,
} from "./errors/index.js";
export type { EventOutcomes } from "./event-outcomes.js";
export type { IngestOptions, Receipt } from "./ingress.js";
export type {
  Backpressure,
  BatchOptions,
  Delivery,
  DeliveryCallback,
  DeliveryContext,
  DrainOptions,
  Drop,
  DropReason,
  EventBusOptions,
  RejectReason,
  RetryOptions,
  ScalingOptions,
  WaitOptions,
} from "./options.js";
export type {
  Bytes,
  FetchHeaders,
  FetchInit,
  FetchResponse,
  HttpResponse,
  Signal,
  Url,
  WasmModule,
} from "./platform.js";
export type { FlushReport } from "./scheduler.js";
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
} from "./shared.js";
export type { BusStats, LastError, ShardStats } from "./stats.js";
export type { BatchStore } from "./store.js";
export type { RequestContext, WaitUntilOptions } from "./wait-until.js";

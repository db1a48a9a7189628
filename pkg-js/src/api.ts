// What every entry exports.
export type { Batch } from "./batch.js";
export * from "./errors/index.js";
export {
  EventBus,
  type IngestOptions,
  type Receipt,
} from "./event-bus.js";
export type {
  Backpressure,
  BatchOptions,
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
export type { FlushReport } from "./scheduler.js";
export type { BusStats, ShardStats } from "./stats.js";
export type { BatchStore } from "./store.js";
export type { RequestContext } from "./wait-until.js";

import type { Batch } from "./batch.js";
import type { StoreError } from "./errors/store-error.js";
import type { BatchStore } from "./outbox/batch-store.js";
import type { Signal } from "./util/platform.js";

/** The policy for an event that finds no room. */
export type Backpressure =
  /** The new event is accepted, and the oldest events of its shard are evicted until it fits. */
  | "drop-oldest"
  /** The new event is refused: `ingest` returns false. */
  | "drop-newest"
  /** The new event is refused: `ingest` throws a `BackpressureError`. */
  | "fail-producer"
  /** In its last quarter a shard admits one arrival in `sample`; once full, none. */
  | { readonly sample: number };

/** Why an event was refused. */
export type RejectReason = "full" | "sampled" | "unrouted" | "oversize" | "invalid" | "closed";

/** Why events were lost: refused, evicted, or given up. */
export type DropReason =
  | RejectReason
  | "evicted"
  | "retries"
  | "permanent"
  | "expired"
  | "shutdown";

/** Events that were lost. */
export interface Drop<T = unknown> {
  readonly reason: DropReason;
  /** The number of events since the last report of this reason. */
  readonly count: number;
  /** The events themselves, where they were in a batch that was given up. */
  readonly batch?: Batch<T> | undefined;
  /**
   * The cause: the last error of the callback, where attempts have failed. For events that found no
   * room, it says why nothing leaves.
   */
  readonly error?: unknown;
  /** The number of attempts at the batch; 0 if it was never sent. */
  readonly attempts?: number | undefined;
}

/** Events that were delivered. */
export interface Delivery<T = unknown> {
  readonly batch: Batch<T>;
  /** Which attempt succeeded, the first being 1. */
  readonly attempt: number;
  /**
   * The number of the batch's events that the receiver has; fewer than all if the callback said so.
   */
  readonly count: number;
}

/** The callback's second argument. */
export interface DeliveryContext {
  /** Aborted when the attempt has taken `timeoutMs`, or when the bus closes. Pass it to `fetch`. */
  readonly signal: Signal;
  /** 1 for the batch's first attempt. */
  readonly attempt: number;
  /**
   * True if the request may outlive its page: pass it to `fetch`. True in pages, as long as the
   * requests in flight stay within the browser's quota.
   */
  readonly keepalive: boolean;
}

/**
 * Sends a batch. Its result is awaited; unless it throws or rejects, the batch is delivered. It may
 * return the outcomes of single events ({@linkcode EventOutcomes}); all others are delivered. Throw
 * a `DeliveryError` to say what should become of the batch; any other error is taken for an outage
 * of the destination, for which nothing is given up.
 */
export type DeliveryCallback<T = unknown> = (batch: Batch<T>, context: DeliveryContext) => unknown;

/** The size of batches, and their longest wait. */
export interface BatchOptions {
  /**
   * A batch of this many events may leave.
   * @default 100, or `maxSize` if that is less
   */
  readonly minSize?: number | undefined;
  /**
   * Most events in a batch.
   * @default 1000
   */
  readonly maxSize?: number | undefined;
  /**
   * Most bytes in a batch's body.
   * @default 262144 (256 KiB)
   */
  readonly maxBytes?: number | undefined;
  /**
   * A batch leaves when its oldest event has waited this long, in milliseconds.
   * @default 1000
   */
  readonly maxDelayMs?: number | undefined;
  /**
   * Lets the size at which a batch leaves follow the rate of events, between `minSize` and
   * `maxSize`. If false, it is `maxSize`.
   * @default true
   */
  readonly adaptive?: boolean | undefined;
  /**
   * The window in which events count for their rate, in milliseconds.
   * @default 100
   */
  readonly velocityWindowMs?: number | undefined;
}

/**
 * The limits of retrying. An outage of the destination ends nothing: batches that wait for its
 * return are lost only for want of room (`maxBytes`, `capacity`) or for their age (`maxAgeMs`).
 */
export interface RetryOptions {
  /**
   * Attempts that the receiver may refuse before a batch is given up, the first included;
   * `Infinity` for no limit. With the other defaults, ten take 13 seconds on average.
   * @default 10
   */
  readonly maxAttempts?: number | undefined;
  /**
   * The bound of the pause after the first failure, in milliseconds; it doubles with every further
   * one in a row, and the pause is random below it.
   * @default 200
   */
  readonly baseDelayMs?: number | undefined;
  /**
   * The end of the doubling, in milliseconds: in an outage, the longest time until the receiver's
   * return is noticed.
   * @default 5000
   */
  readonly maxDelayMs?: number | undefined;
  /**
   * Events that were accepted longer ago are given up, as `expired`; in milliseconds.
   * @default Infinity
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * The longest pause that a receiver may ask for (`Retry-After`), in milliseconds.
   * @default 60000
   */
  readonly maxRetryAfterMs?: number | undefined;
}

/** The conditions on which the number of shards changes. */
export interface ScalingOptions {
  /**
   * Fewest shards.
   * @default 1
   */
  readonly minShards?: number | undefined;
  /**
   * Most shards.
   * @default 8, or `shards` if that is more
   */
  readonly maxShards?: number | undefined;
  /**
   * Adds and drains shards automatically. If false, only `scaleUp` and `scaleDown` do.
   * @default true
   */
  readonly autoScale?: boolean | undefined;
  /**
   * A shard is overloaded when it is fuller than this, as a share of its `capacity`.
   * @default 0.7
   */
  readonly fillRatioThreshold?: number | undefined;
  /**
   * A shard is overloaded when its batches take longer than this to be delivered on average, in
   * milliseconds.
   * @default 1000
   */
  readonly flushLatencyThresholdMs?: number | undefined;
  /**
   * A shard is underutilized when it is emptier than this, as a share of its `capacity`, and nothing
   * arrived in the last window.
   * @default 0.1
   */
  readonly underutilizedThreshold?: number | undefined;
  /**
   * The time for which the number of shards stays as it is after a change, in milliseconds.
   * @default 1000
   */
  readonly cooldownMs?: number | undefined;
  /**
   * The time for which a shard must have been underutilized before it may be drained, in
   * milliseconds.
   * @default 10000
   */
  readonly scaleDownDelayMs?: number | undefined;
  /**
   * The interval at which the load is measured, in milliseconds.
   * @default 100
   */
  readonly metricsWindowMs?: number | undefined;
}

/** Options of an `EventBus`. */
export interface EventBusOptions<T = unknown> {
  /**
   * Ordered lanes; each has its own batch in flight.
   * @default 1
   */
  readonly shards?: number | undefined;
  /**
   * Slots per shard, from 2 to 16777216, rounded up to a power of two; one stays free. Memory grows
   * as they fill.
   * @default 65536
   */
  readonly capacity?: number | undefined;
  /**
   * Most bytes of events held: waiting, in flight and to be retried, in all shards together. Less
   * than 2 GiB.
   * @default 8388608 (8 MiB)
   */
  readonly maxBytes?: number | undefined;
  /**
   * Most bytes of one event, as UTF-8.
   * @default 262144 (256 KiB), or less where `batch.maxBytes` or `maxBytes` is less
   */
  readonly maxEventBytes?: number | undefined;
  /**
   * Most bytes of an event's key, as UTF-8.
   * @default 1024
   */
  readonly maxKeyBytes?: number | undefined;
  /**
   * The seed of the hash that routes, 64 bits. Where strangers choose keys, a secret one keeps them
   * from choosing keys that all go to one shard.
   * @default 0n: every bus routes alike
   */
  readonly routingSeed?: bigint | undefined;
  /**
   * The policy for an event that finds no room.
   * @default "drop-oldest"
   */
  readonly backpressure?: Backpressure | undefined;
  /**
   * Routes events: those with the same key are delivered in order. Without a key, events are spread
   * by their content.
   */
  readonly key?: ((event: T) => string | null | undefined) | undefined;
  /**
   * The layout of a batch's body: one event a line, or one JSON array.
   * @default "ndjson"
   */
  readonly format?: "ndjson" | "json" | undefined;
  /**
   * Batches leave by size and time ("auto"), or only inside `flush()`, `waitUntil()` and `close()`
   * ("manual").
   * @default "auto"; in Cloudflare Workers "manual"
   */
  readonly scheduler?: "auto" | "manual" | undefined;
  /**
   * Keeps the request that offers an event alive until that is sent, as {@linkcode EventBus.waitUntil}
   * does, so that no call can be forgotten: `true` where the runtime tells which request runs (Vercel,
   * Netlify, Supabase, Bunny, and Cloudflare with `nodejs_compat`), or its function that takes a
   * promise, such as `waitUntil` of `cloudflare:workers`.
   * @default false
   */
  readonly waitUntil?: boolean | ((promise: Promise<unknown>) => void) | undefined;
  /**
   * In a page, `"auto"` sends the pending events when the page is hidden or left. Elsewhere it
   * makes no difference.
   * @default "auto"
   */
  readonly lifecycle?: "auto" | "manual" | undefined;
  /**
   * Which events are sent first when the page is hidden or left, and not all of them can be.
   * @default "oldest"
   */
  readonly exitOrder?: "oldest" | "newest" | undefined;
  readonly batch?: BatchOptions | undefined;
  /** The limits of retrying; `false`: each batch has one attempt. */
  readonly retry?: false | RetryOptions | undefined;
  /**
   * The conditions on which the number of shards changes; `false` if it never does. `shards` is
   * then the number to begin with, and `minShards` its default.
   * @default false
   */
  readonly scaling?: false | ScalingOptions | undefined;
  /**
   * The longest time of one attempt, in milliseconds. Then its `signal` is aborted and it counts as
   * failed.
   * @default 10000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Called for every loss. An abandoned batch is reported at once, with its events. Refused and
   * evicted events are counted: the first is reported at the end of the turn, and then each reason
   * at most once a second, with the count in between. The last count is reported a second later, or
   * at `drain()` or `close()`; with the scheduler `"manual"`, which has no timer for it, when the
   * bus is used next, and at the end of `flush()`. Without a handler, the first loss is a
   * `console.warn`.
   */
  readonly onDrop?: ((drop: Drop<T>) => void) | undefined;
  /** Told of each batch that was delivered, once the receiver has said so. */
  readonly onDelivered?: ((delivery: Delivery<T>) => void) | undefined;
  /**
   * Keeps a copy of each batch from before its first attempt until it is settled. Batches of
   * earlier runs are sent beside new events, with their old ids. Without it, pending events end
   * with the process.
   */
  readonly store?: BatchStore | undefined;
  /**
   * Called when an operation of the store failed. Batches in memory are sent all the same. Without
   * a handler, the first failure is a `console.warn`.
   */
  readonly onStoreError?: ((error: StoreError) => void) | undefined;
}

/** Options of a wait. */
export interface WaitOptions {
  /** In milliseconds. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: Signal | undefined;
}

/** The events to take out of the bus. */
export interface DrainOptions {
  /**
   * Most bytes of all bodies together.
   * @default Infinity
   */
  readonly maxBytes?: number | undefined;
}

import type { Batch } from "./batch.js";
import type { StoreError } from "./errors/store-error.js";
import type { BatchOptions, BusLimits, RetryOptions, ScalingOptions } from "./generated/options.js";
import type { BatchStore } from "./outbox/batch-store.js";
import type { Signal } from "./util/platform.js";

export type { BatchOptions, BusLimits, RetryOptions, ScalingOptions };

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

/** Options of an `EventBus`. */
export interface EventBusOptions<T = unknown> extends BusLimits {
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
   * ("manual"). In pages and with `shardbus/slim`, "manual" needs `import "shardbus/requests"`.
   * @default "auto"; in Cloudflare Workers "manual"
   */
  readonly scheduler?: "auto" | "manual" | undefined;
  /**
   * Keeps the request that offers an event alive until that is sent, as {@linkcode EventBus.waitUntil}
   * does, so that no call can be forgotten: `true` where the runtime tells which request runs (Vercel,
   * Netlify, Supabase, Bunny, and Cloudflare with `nodejs_compat`), or its function that takes a
   * promise, such as `waitUntil` of `cloudflare:workers`. In pages and with `shardbus/slim` it
   * needs `import "shardbus/requests"`.
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
   * Called for every loss. Abandoned batches: immediately, with their events. Rejected and evicted
   * events: counted, first at the end of the turn, then at most once a second for each reason.
   * Held-back losses are reported a second later, or at `drain()` or `close()`; with the scheduler
   * `"manual"`, which has no timer for them, at the next use of the bus and at the end of
   * `flush()`. Without a handler, the first loss is a `console.warn`.
   */
  readonly onDrop?: ((drop: Drop<T>) => void) | undefined;
  /** Told of each batch that was delivered, once the receiver has said so. */
  readonly onDelivered?: ((delivery: Delivery<T>) => void) | undefined;
  /**
   * Keeps a copy of each batch from before its first attempt until it is settled. Batches of
   * earlier runs are sent beside new events, with their old ids. Without it, pending events end
   * with the process. A store of your own goes through `customStore()` of `shardbus/stores/custom`.
   */
  readonly store?: BatchStore | undefined;
  /**
   * Called when an operation of the store failed. Batches in memory are sent all the same. Without
   * a handler, the first failure is a `console.warn`.
   */
  readonly onStoreError?: ((error: StoreError) => void) | undefined;
}

/** Options of `ready()`. */
export interface ReadyOptions {
  /** Ends the wait once it is aborted. */
  readonly signal?: Signal | undefined;
}

/** Options of a wait that is a flush. */
export interface WaitOptions extends ReadyOptions {
  /** In milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** The events to take out of the bus. */
export interface DrainOptions {
  /**
   * Most bytes of all bodies together.
   * @default Infinity
   */
  readonly maxBytes?: number | undefined;
}

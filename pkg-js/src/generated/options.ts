// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,
// `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.

/** The limits of a bus, and the time of an attempt. */
export interface BusLimits {
  /**
   * Ordered lanes; each has its own batch in flight. While their number may change, the number to
   * begin with.
   * @default 1, or `scaling.minShards`
   */
  readonly shards?: number | undefined;
  /**
   * Slots per shard, rounded up to a power of two; one stays free. Memory grows as they fill.
   * @default 65536
   */
  readonly capacity?: number | undefined;
  /**
   * Most payload bytes held: pending, in flight and to be retried, in all shards together. Batches
   * of earlier runs come beside it.
   * @default 8388608 (8 MiB)
   */
  readonly maxBytes?: number | undefined;
  /**
   * Most bytes of one event, as UTF-8.
   * @default 262144 (256 KiB, or less where `batch.maxBytes` or `maxBytes` is less)
   */
  readonly maxEventBytes?: number | undefined;
  /**
   * Most bytes of an event's key, as UTF-8.
   * @default 1024 (1 KiB)
   */
  readonly maxKeyBytes?: number | undefined;
  /**
   * The longest time of one attempt. Then it counts as failed. In milliseconds.
   * @default 10000
   */
  readonly timeoutMs?: number | undefined;
}

/** The size of batches, and their longest wait. */
export interface BatchOptions {
  /**
   * A batch of this many events may leave.
   * @default 100, or `maxSize` if that is less
   */
  readonly minSize?: number | undefined;
  /**
   * Most events in a batch.
   * @default 1000, or `minSize` if that is more
   */
  readonly maxSize?: number | undefined;
  /**
   * Most bytes in a batch's body, separators and brackets included.
   * @default 262144 (256 KiB)
   */
  readonly maxBytes?: number | undefined;
  /**
   * A batch leaves when its oldest event has waited this long, whatever its size. In milliseconds.
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
   * The window in which events count for their rate. In milliseconds.
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
   * Attempts that the receiver may refuse before a batch is given up, the first included. With the
   * other defaults, ten take 13 seconds on average, and 26 at most. Failures in an outage do not
   * count. `Infinity` for no limit.
   * @default 10
   */
  readonly maxAttempts?: number | undefined;
  /**
   * The bound of the pause after the first failure. It doubles with every further one in a row, and
   * the pause is random below it. In milliseconds.
   * @default 200, or `maxDelayMs` if that is less
   */
  readonly baseDelayMs?: number | undefined;
  /**
   * The end of the doubling: in an outage, the longest time until the receiver's return is noticed.
   * In milliseconds.
   * @default 5000, or `baseDelayMs` if that is more
   */
  readonly maxDelayMs?: number | undefined;
  /**
   * Events that were accepted longer ago are given up as `expired`. In milliseconds. `Infinity` for
   * no limit.
   * @default Infinity
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * The longest pause that a receiver may ask for. In milliseconds.
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
   * Most shards. More lanes than a host keeps connections to one receiver would wait for each
   * other.
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
   * A shard is overloaded when its batches take longer than this to be delivered on average. In
   * milliseconds.
   * @default 1000
   */
  readonly flushLatencyThresholdMs?: number | undefined;
  /**
   * A shard is underutilized when it is emptier than this, as a share of its `capacity`, and
   * nothing arrived in the last window.
   * @default 0.1
   */
  readonly underutilizedThreshold?: number | undefined;
  /**
   * The time for which the number of shards stays as it is after a change, and for which a new
   * shard's metrics do not count. In milliseconds.
   * @default 1000
   */
  readonly cooldownMs?: number | undefined;
  /**
   * The time for which a shard must have been underutilized before it may be drained. In
   * milliseconds.
   * @default 10000
   */
  readonly scaleDownDelayMs?: number | undefined;
  /**
   * The interval at which the load is measured. In milliseconds.
   * @default 100
   */
  readonly metricsWindowMs?: number | undefined;
}

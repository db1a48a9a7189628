// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,
// `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.

import { row } from "../core/module.js";
import { backpressureNumber, highHalf, lowHalf } from "../core/numbers.js";
import type { ScalingRefusal } from "../errors/scaling-error.js";
import type { EventBusOptions } from "../options.js";
import type { BatchOptions, RetryOptions, ScalingOptions } from "./options.js";
import type { BusCounts, FlushCounts, ShardStats } from "./stats.js";

/** The codes of rejected events; an accepted event returns its shard. */
export const Refusal = {
  full: -1,
  sampled: -2,
  unrouted: -3,
  oversize: -4,
  invalid: -5,
  closed: -6,
  keyTooLong: -8,
  misused: -7,
} as const;

/** The next thing to do. */
export const Step = {
  Idle: 0,
  WaitUntil: 1,
  Send: 2,
  Abandoned: 3,
  Store: 4,
  Yield: 5,
  Load: 6,
  Lost: 7,
} as const;

/** The progress of a flush. */
export const FlushState = {
  Open: 0,
  Settled: 1,
  TimedOut: 2,
} as const;

/** The failures of an attempt. */
export const FailureKind = {
  Unavailable: 0,
  Refused: 1,
  Permanent: 2,
  Split: 3,
} as const;

/** The outcomes of a single event. */
export const Outcome = {
  Delivered: 0,
  Unavailable: 1,
  Refused: 2,
  Permanent: 3,
  Split: 4,
} as const;

/** The reasons not to restore a batch of an earlier run. */
export const RestoreRefusal = {
  NotNow: 1,
  Damaged: 2,
  TooLarge: 3,
  OtherFormat: 4,
  NoMemory: 5,
} as const;

/** The reasons for which a batch is given up, by their code. */
export const ABANDON_REASONS = ["retries", "permanent", "expired", "shutdown"] as const;

export type AbandonReason = (typeof ABANDON_REASONS)[number];

/** The reasons for which the number of shards does not change, by their code. */
export const SCALING_REFUSALS: { readonly [code: number]: ScalingRefusal } = {
  [-1]: "at-max-shards",
  [-2]: "at-min-shards",
  [-3]: "in-cooldown",
  [-4]: "off",
  [-5]: "no-memory",
};

/** A group of options of which none was given. */
const NONE = /* @__PURE__ */ Object.freeze(/* @__PURE__ */ Object.create(null));

/** The options as numbers: NaN for one that is not given, 0 or 1 for a boolean. */
export function encodeOptions<T>(given: EventBusOptions<T>): Float64Array {
  const batch: BatchOptions = given.batch ?? NONE;
  const retry: RetryOptions = given.retry || NONE;
  const scaling: ScalingOptions = given.scaling || NONE;
  return Float64Array.from([
    given.shards,
    given.capacity,
    given.maxBytes,
    given.maxEventBytes,
    given.maxKeyBytes,
    highHalf(given.routingSeed),
    lowHalf(given.routingSeed),
    backpressureNumber(given.backpressure),
    given.format === "json",
    given.scheduler === "manual",
    given.store !== undefined,
    given.store?.maxBytes,
    given.timeoutMs,
    batch.minSize,
    batch.maxSize,
    batch.maxBytes,
    batch.maxDelayMs,
    batch.adaptive,
    batch.velocityWindowMs,
    given.retry !== false,
    retry.maxAttempts,
    retry.baseDelayMs,
    retry.maxDelayMs,
    retry.maxAgeMs,
    retry.maxRetryAfterMs,
    !!given.scaling,
    scaling.minShards,
    scaling.maxShards,
    scaling.autoScale,
    scaling.fillRatioThreshold,
    scaling.flushLatencyThresholdMs,
    scaling.underutilizedThreshold,
    scaling.cooldownMs,
    scaling.scaleDownDelayMs,
    scaling.metricsWindowMs,
  ] as number[]);
}

/** The places of some of them. */
export const Place = {
  capacity: 1,
  maxBytes: 2,
  maxEventBytes: 3,
  maxKeyBytes: 4,
  scheduler: 9,
  hasStore: 10,
  batchMinSize: 13,
  batchMaxSize: 14,
  batchMaxBytes: 15,
  batchMaxDelay: 16,
  batchAdaptive: 17,
  retryMaxAge: 23,
  scaling: 25,
} as const;

/** The defaults of these numbers. */
// biome-ignore format: they are only many
export const DEFAULTS: readonly number[] = [
  1, 65536, 8388608, 262144, 1024, 0, 0, 0, 0, 0, 0, 0, 10000, 100, 1000, 262144, 1000, 1, 100, 1,
  10, 200, 5000, Infinity, 60000, 0, 1, 8, 1, 0.7, 1000, 0.1, 1000, 10000, 100,
];

/**
 * Bounds of options by others: the places of the lower and of the upper number; where the default
 * of the lower one goes down with the upper one, the least that it becomes; whether the default of
 * the upper one goes up with the lower one; the place of the format, if the brackets of a body
 * count with the lower one; and the rule: the place of its option, the option, and a sentence.
 */
// biome-ignore format: a table
export const BOUNDS: readonly (readonly [
  lower: number,
  upper: number,
  downTo: number,
  goesUp: boolean,
  format: number | undefined,
  place: number,
  option: string,
  rule: string,
])[] = [
  [3, 2, 1, false, undefined, 3, "maxEventBytes", "must be at most `maxBytes`"],
  [13, 14, 1, true, undefined, 14, "batch.maxSize", "must be at least `batch.minSize`"],
  [3, 15, 1, false, 8, 3, "maxEventBytes", "must fit into `batch.maxBytes` (in format `json` with 2 bytes for the brackets)"],
  [21, 22, 0, true, undefined, 22, "retry.maxDelayMs", "must be at least `retry.baseDelayMs`"],
  [26, 27, NaN, false, undefined, 27, "scaling.maxShards", "must be at least `scaling.minShards`"],
  [26, 0, NaN, true, undefined, 0, "shards", "must be at least `scaling.minShards`"],
  [0, 27, NaN, true, undefined, 0, "shards", "must be at most `scaling.maxShards`"],
];

/** The rule of the window in which events count. */
// biome-ignore format: as the others
export const VELOCITY_WINDOW_RULE = [18, "batch.velocityWindowMs", "must be greater than 0 while `batch.adaptive` is on"] as const;

/** The rule that a bus breaks for which there is no memory. */
// biome-ignore format: as the others
export const MEMORY_RULE = [0, "shards", "must be few enough for the memory that is left"] as const;

/** The default of `shards`. */
export const DEFAULT_SHARDS = 1;

/** The default of `maxBytes`. */
export const DEFAULT_MAX_BYTES = 8388608;

/** The default of `timeoutMs`. */
export const DEFAULT_TIMEOUT_MS = 10000;

/** The statistics. An object's values are read in the order in which they are written. */
export function readStats(length: number): BusCounts {
  const numbers = row(length);
  let at = 0;
  const next = () => numbers[at++] as number;
  const counts = {
    offered: next(),
    accepted: next(),
    restored: next(),
    rejected: {
      full: next(),
      sampled: next(),
      unrouted: next(),
      oversize: next(),
      invalid: next(),
      closed: next(),
    },
    delivered: next(),
    evicted: next(),
    abandoned: {
      retries: next(),
      permanent: next(),
      expired: next(),
      shutdown: next(),
    },
    drained: next(),
    pending: next(),
    inFlight: next(),
    oldestAgeMs: next(),
    bytes: {
      held: next(),
      spilled: next(),
      delivered: next(),
    },
    batches: {
      delivered: next(),
      retries: next(),
      expired: next(),
    },
    shards: [] as ShardStats[],
  };
  while (at < length) {
    counts.shards.push({
      id: next(),
      state: (next() === 0 ? "active" : "draining") as ShardStats["state"],
      accepted: next(),
      full: next(),
      sampled: next(),
      evicted: next(),
      pending: next(),
      inFlight: next(),
      bytes: next(),
      nextSequence: next(),
      batchTarget: next(),
    });
  }
  return counts;
}

/** The outcome of a flush. An object's values are read in the order in which they are written. */
export function readFlush(length: number): FlushCounts {
  const numbers = row(length);
  let at = 0;
  const next = () => numbers[at++] as number;
  const counts = {
    delivered: next(),
    abandoned: next(),
    evicted: next(),
    drained: next(),
    pending: next(),
  };
  return counts;
}

/** A lease without its batch. */
export function readLease() {
  const numbers = row(3);
  return {
    lease: numbers[0] as number,
    attempt: numbers[1] as number,
    deadlineMs: numbers[2] as number,
  };
}

/** The time of the next poll, and the leeway until then. */
export function readWait() {
  const numbers = row(3);
  return {
    wakeMs: numbers[0] as number,
    events: numbers[1] as number,
    bytes: numbers[2] as number,
  };
}

/** The reason for which a batch was given up, and its attempts. */
export function readAbandoned() {
  const numbers = row(2);
  return {
    reason: numbers[0] as number,
    attempts: numbers[1] as number,
  };
}

/** A batch without its body. Numbers of 64 bits are in halves. */
export function readBatch() {
  const numbers = row(10);
  return {
    shard: numbers[0] as number,
    sequence: numbers[1] as number,
    count: numbers[2] as number,
    isJson: numbers[3] as number,
    nonceHigh: numbers[4] as number,
    nonceLow: numbers[5] as number,
    firstHigh: numbers[6] as number,
    firstLow: numbers[7] as number,
    lastHigh: numbers[8] as number,
    lastLow: numbers[9] as number,
  };
}

/** Words of 32 bits in the record of an event. */
export const RECORD_WORDS = 3;

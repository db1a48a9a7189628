// What crosses to and from the core as rows of numbers, and the names that they have here. The core
// has the same orders in `wasm/src/options.rs` and `wasm/src/numbers.rs`.

import type { FlushReport } from "../delivery/scheduler.js";
import type { Backpressure, EventBusOptions, RetryOptions, ScalingOptions } from "../options.js";
import type { BusStats, ShardStats } from "../stats.js";
import type { CoreBus } from "./core-bus.js";
import { row } from "./module.js";

const MODES = ["drop-oldest", "drop-newest", "fail-producer"];
const SAMPLE = MODES.length;

const modeNumber = (mode: Backpressure | undefined): number | undefined =>
  typeof mode === "object" ? SAMPLE : mode && MODES.indexOf(mode);

/** A group of options of which none was given. */
const NONE = /* @__PURE__ */ Object.freeze(/* @__PURE__ */ Object.create(null));

/** The options that the core takes; what is not given becomes NaN. */
export function encodeOptions<T>(given: EventBusOptions<T>): Float64Array {
  const { backpressure, format, scheduler, batch = NONE, scaling, routingSeed = 0n } = given;
  const retry: RetryOptions = given.retry || NONE;
  const scaled: ScalingOptions = scaling || NONE;
  // `undefined` becomes NaN, and a boolean 0 or 1.
  return Float64Array.from([
    given.shards,
    given.capacity,
    given.maxBytes,
    given.maxEventBytes,
    given.maxKeyBytes,
    // In halves: numbers of 64 bits do not cross.
    Number(routingSeed >> 32n),
    Number(routingSeed & 0xffff_ffffn),
    modeNumber(backpressure),
    typeof backpressure === "object" ? backpressure.sample : undefined,
    format === "json",
    scheduler === "manual",
    given.store !== undefined,
    given.timeoutMs,
    batch.minSize,
    batch.maxSize,
    batch.maxBytes,
    batch.maxDelayMs,
    batch.adaptive,
    batch.velocityWindowMs,
    given.retry === false ? 0 : undefined,
    retry.maxAttempts,
    retry.baseDelayMs,
    retry.maxDelayMs,
    retry.maxAgeMs === Number.POSITIVE_INFINITY ? undefined : retry.maxAgeMs,
    retry.maxRetryAfterMs,
    scaling ? 1 : undefined,
    scaled.minShards,
    scaled.maxShards,
    scaled.autoScale,
    scaled.fillRatioThreshold,
    scaled.flushLatencyThresholdMs,
    scaled.underutilizedThreshold,
    scaled.cooldownMs,
    scaled.scaleDownDelayMs,
    scaled.metricsWindowMs,
  ] as number[]);
}

/** The part of the statistics that the core counts. */
export type Counts = Omit<BusStats, "lastError" | "runId">;

/** Where every event is. */
export function decodeStats(core: CoreBus): Counts {
  const length = core.stats();
  const numbers = row(length);
  let at = 0;
  const next = () => numbers[at++] as number;
  // An object's values are read in the order in which they are written.
  const stats = {
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
    abandoned: { retries: next(), permanent: next(), expired: next(), shutdown: next() },
    drained: next(),
    pending: next(),
    inFlight: next(),
    // In nanoseconds.
    oldestAgeMs: next() / 1e6,
    bytes: { held: next(), delivered: next() },
    batches: { delivered: next(), retries: next(), expired: next() },
    shards: [] as ShardStats[],
  };
  while (at < length) {
    stats.shards.push({
      id: next(),
      state: next() === 0 ? "active" : "draining",
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
  return stats;
}

/** What became of a flush. */
export function flushReport(core: CoreBus, flush: number, timedOut: boolean): FlushReport {
  const numbers = row(core.flushReport(flush));
  let at = 0;
  const next = () => numbers[at++] as number;
  return {
    delivered: next(),
    abandoned: next(),
    evicted: next(),
    drained: next(),
    pending: next(),
    timedOut,
  };
}

/** A batch without its body. */
export interface BatchHead {
  readonly id: string;
  /** The high and the low half of the run's nonce. */
  readonly nonce: readonly [high: number, low: number];
  readonly shard: number;
  readonly sequence: number;
  readonly count: number;
  readonly isJson: boolean;
  readonly firstTimestamp: bigint;
  readonly lastTimestamp: bigint;
}

/** The nonce of a run, as it is in the ids of its batches. */
export const runIdOf = (high: number, low: number): string => hex(high) + hex(low);

/** The batch that the core handed out last. */
export function decodeBatchHeader(core: CoreBus): BatchHead {
  const numbers = row(core.batchHead());
  const [shard, sequence] = [numbers[0] as number, numbers[1] as number];
  const nonce = [numbers[4] as number, numbers[5] as number] as const;
  return {
    // As `Batch::id` of the core.
    id: `${runIdOf(...nonce)}-${shard}-${sequence}`,
    nonce,
    shard,
    sequence,
    count: numbers[2] as number,
    isJson: numbers[3] === 1,
    firstTimestamp: joinHalves(numbers[6], numbers[7]),
    lastTimestamp: joinHalves(numbers[8], numbers[9]),
  };
}

/** Half of a number of 64 bits. */
const hex = (half = 0): string => half.toString(16).padStart(8, "0");

/** A number of 64 bits, given its high and its low half. */
export function joinHalves(high = 0, low = 0): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

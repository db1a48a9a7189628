// Rows of numbers that the core leaves, in the names that they have here.

import type { FlushReport } from "../delivery/scheduler.js";
import { readBatch, readFlush, readStats } from "../generated/layout.js";
import type { BusCounts } from "../generated/stats.js";
import type { CoreBus } from "./core-bus.js";
import { joinHalves } from "./numbers.js";

/** The statistics that the core counts. */
export const decodeStats = (core: CoreBus): BusCounts => readStats(core.stats(Date.now()));

/** The outcome of a flush. */
export const flushReport = (core: CoreBus, flush: number, timedOut: boolean): FlushReport => ({
  ...readFlush(core.flushReport(flush)),
  timedOut,
});

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
  core.batchHead();
  return decodeHeader();
}

/** The batch whose header the core has left in the row. */
export function decodeHeader(): BatchHead {
  const head = readBatch();
  const { shard, sequence, count } = head;
  const nonce = [head.nonceHigh, head.nonceLow] as const;
  return {
    // As `Batch::id` of the core.
    id: `${runIdOf(...nonce)}-${shard}-${sequence}`,
    nonce,
    shard,
    sequence,
    count,
    isJson: head.isJson === 1,
    firstTimestamp: joinHalves(head.firstHigh, head.firstLow),
    lastTimestamp: joinHalves(head.lastHigh, head.lastLow),
  };
}

/** Half of a number of 64 bits. */
const hex = (half: number): string => half.toString(16).padStart(8, "0");

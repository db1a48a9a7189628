import type { BusCounts, ShardStats } from "./generated/stats.js";

export type { BusCounts, ShardStats };

/** The failure of an attempt. */
export interface LastError {
  /** Its time: milliseconds since the Unix epoch. */
  readonly at: number;
  /** The message of the callback's error. */
  readonly message: string;
  /** Which attempt of its batch it was, the first being 1. */
  readonly attempt: number;
}

/** The batches in a bus's store, and its failures. */
export interface StoreStats {
  /** Batches of this run, and of earlier runs whose turn has come. */
  readonly batches: number;
  /** Batches of earlier runs that were found, and not read yet. */
  readonly waiting: number;
  /** Operations that failed, as `onStoreError` was told. */
  readonly errors: number;
  /** Batches that could not be read, and were set aside. */
  readonly setAside: number;
}

/**
 * Accounts for every event offered to the bus. After every call:
 *
 * - `offered` is `accepted` plus all of `rejected`;
 * - `accepted` is `delivered + evicted + drained + pending + inFlight` plus all of `abandoned`.
 */
export interface BusStats extends BusCounts {
  /** The option `maxBytes`, which bounds `bytes.held`. */
  readonly maxBytes: number;
  /** The bus's store; nothing, if it has none. */
  readonly store: StoreStats | undefined;
  /** The failure of the last attempt that failed; nothing, if none has. */
  readonly lastError: LastError | undefined;
  /**
   * The common beginning of the ids of this bus's batches and events: `runId-shard-sequence`.
   * Nothing before the first batch, as a Worker has no random numbers at its global scope.
   */
  readonly runId: string | undefined;
}

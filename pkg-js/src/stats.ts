/** One shard, now. */
export interface ShardStats {
  readonly id: number;
  /** `draining`: the shard takes no events, and is removed once it is empty. */
  readonly state: "active" | "draining";
  /** Events accepted. */
  readonly accepted: number;
  /** Events refused as full. */
  readonly full: number;
  /** Events sampled out. */
  readonly sampled: number;
  /** Events evicted. */
  readonly evicted: number;
  /** Events waiting. */
  readonly pending: number;
  /** Events in flight or to be retried. */
  readonly inFlight: number;
  /** Payload bytes waiting. */
  readonly bytes: number;
  /** The sequence number that the next event to leave will have. */
  readonly nextSequence: number;
  /** The size at which a batch may leave now. */
  readonly batchTarget: number;
}

/** The failure of an attempt. */
export interface LastError {
  /** Its time: milliseconds since the Unix epoch. */
  readonly at: number;
  /** The message of the callback's error. */
  readonly message: string;
  /** Which attempt of its batch it was, the first being 1. */
  readonly attempt: number;
}

/**
 * Accounts for every event offered to the bus. After every call:
 *
 * - `offered` is `accepted` plus all of `rejected`;
 * - `accepted` is `delivered + evicted + drained + pending + inFlight` plus all of `abandoned`.
 */
export interface BusStats {
  /** Events offered. */
  readonly offered: number;
  /** Events accepted. */
  readonly accepted: number;
  /** The part of `accepted` that earlier lives had left in the `store`. */
  readonly restored: number;
  /** Events refused, by reason. */
  readonly rejected: {
    /** No room. */
    readonly full: number;
    /** Sampled out because there was little room. */
    readonly sampled: number;
    /** No shard takes them. */
    readonly unrouted: number;
    /** Larger than `maxEventBytes`, or with a key larger than `maxKeyBytes`. */
    readonly oversize: number;
    /** Cannot be written as JSON, or would break a batch. */
    readonly invalid: number;
    /** The bus was closed. */
    readonly closed: number;
  };
  /** Events acknowledged: their callback succeeded. */
  readonly delivered: number;
  /** Events accepted, and evicted later to make room for newer ones. */
  readonly evicted: number;
  /** Events accepted, and given up later, by reason. */
  readonly abandoned: {
    /** The receiver refused them too often, or they failed while it took others. */
    readonly retries: number;
    /** The receiver will never take them: a `DeliveryError` that is not retryable said so. */
    readonly permanent: number;
    /** They got older than `retry.maxAgeMs`. */
    readonly expired: number;
    /** The bus was closed first. */
    readonly shutdown: number;
  };
  /** Events handed out by `drain()`, or left in the `store` by `close()`. */
  readonly drained: number;
  /** Events waiting in their shards. */
  readonly pending: number;
  /** Events in flight or to be retried. */
  readonly inFlight: number;
  /** The age of the oldest event that the bus holds; 0 if it holds none. */
  readonly oldestAgeMs: number;
  readonly bytes: {
    /** Payload bytes held now: waiting, in flight and to be retried. At most `maxBytes`. */
    readonly held: number;
    /** Body bytes delivered. */
    readonly delivered: number;
  };
  readonly batches: {
    /** Batches delivered. */
    readonly delivered: number;
    /** Attempts after a batch's first. */
    readonly retries: number;
    /** Leases that ran out without an answer. */
    readonly expired: number;
  };
  readonly shards: readonly ShardStats[];
  /** The failure of the last attempt that failed; nothing, if none has. */
  readonly lastError: LastError | undefined;
  /**
   * The common beginning of the ids of this bus's batches and events: `runId-shard-sequence`.
   * Nothing before the first batch, as a Worker has no random numbers at its global scope.
   */
  readonly runId: string | undefined;
}

/** One shard, now. */
export interface ShardStats {
  readonly id: number;
  /** Whether it takes events, or is being emptied before it is removed. */
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

/**
 * Where every event offered to the bus is. After every call:
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
    /** Larger than `maxEventBytes`. */
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
    /** All attempts failed. */
    readonly retries: number;
    /** The callback failed with a `DeliveryError` that is not retryable. */
    readonly permanent: number;
    /** The bus was closed first. */
    readonly shutdown: number;
  };
  /** Events handed out by `drain()`, or left in the `store` by `close()`. */
  readonly drained: number;
  /** Events waiting in their shards. */
  readonly pending: number;
  /** Events in flight or to be retried. */
  readonly inFlight: number;
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
}

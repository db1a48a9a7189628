// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,
// `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.

/** One shard, now. */
export interface ShardStats {
  /** The shard. */
  readonly id: number;
  /** Its state: one that drains takes no events, and is removed once it is empty. */
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
  /** Events in flight, to be retried, or in the store alone. */
  readonly inFlight: number;
  /** Payload bytes waiting. */
  readonly bytes: number;
  /** The sequence number that the next event to leave will have. */
  readonly nextSequence: number;
  /** The size at which a batch may leave now. */
  readonly batchTarget: number;
}

/** The core's statistics, which account for every event offered. */
export interface BusCounts {
  /** Events offered. */
  readonly offered: number;
  /** Events accepted. */
  readonly accepted: number;
  /** The part of `accepted` that earlier runs had left in the store. */
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
    /** Not one JSON text on one line, or not JSON at all. */
    readonly invalid: number;
    /** The bus was closed. */
    readonly closed: number;
  };
  /** Events delivered: the receiver has them. */
  readonly delivered: number;
  /** Events accepted, and evicted later to make room for newer ones, or lost by the store. */
  readonly evicted: number;
  /** Events accepted, and given up later, by reason. */
  readonly abandoned: {
    /** The receiver refused them too often, or they failed while it took others. */
    readonly retries: number;
    /** The receiver will never take them. */
    readonly permanent: number;
    /** They got older than `retry.maxAgeMs`. */
    readonly expired: number;
    /** The bus was closed first. */
    readonly shutdown: number;
  };
  /** Events handed out for good by `drain`, or left in the store when the bus was closed. */
  readonly drained: number;
  /** Events waiting in their shards. */
  readonly pending: number;
  /** Events in flight, to be retried, or in the store alone. */
  readonly inFlight: number;
  /** The age of the oldest event held, by the wall clock; 0 if none is. */
  readonly oldestAgeMs: number;
  /** Bytes held and sent. */
  readonly bytes: {
    /** Payload bytes held now: pending, in flight and to be retried. At most `maxBytes`. */
    readonly held: number;
    /** Payload bytes that only the store has. */
    readonly spilled: number;
    /** Body bytes delivered. */
    readonly delivered: number;
  };
  /** Batches and attempts. */
  readonly batches: {
    /** Batches delivered. */
    readonly delivered: number;
    /** Attempts after a batch's first. */
    readonly retries: number;
    /** Leases that expired without an answer. */
    readonly expired: number;
  };
  /** Each shard. */
  readonly shards: readonly ShardStats[];
}

/** The outcomes of all events that had been accepted, and not settled, when a flush began. */
export interface FlushCounts {
  /** Events acknowledged since. */
  readonly delivered: number;
  /** Events given up since. */
  readonly abandoned: number;
  /** Events evicted since, to make room for newer ones. */
  readonly evicted: number;
  /** Events drained since. */
  readonly drained: number;
  /** Events that are still waiting or in flight. */
  readonly pending: number;
}

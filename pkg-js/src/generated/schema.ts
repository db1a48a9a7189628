// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,
// `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.

import {
  flag,
  integer,
  milliseconds,
  orInfinity,
  share,
  someMilliseconds,
  someShare,
} from "../validation/checks.js";

/** The checks of the options that are numbers and booleans. */
export const schema = () => ({
  shards: integer(1, 65535),
  capacity: integer(2, 16777216),
  maxBytes: integer(1, 2147483647),
  maxEventBytes: integer(1, 4294967295),
  maxKeyBytes: integer(1, 2147483647),
  timeoutMs: someMilliseconds,
  batch: {
    minSize: integer(1, 1000000),
    maxSize: integer(1, 1000000),
    maxBytes: integer(1, 4294967295),
    maxDelayMs: someMilliseconds,
    adaptive: flag,
    velocityWindowMs: milliseconds,
  },
  retry: {
    maxAttempts: orInfinity(integer(1, 4294967295)),
    baseDelayMs: milliseconds,
    maxDelayMs: milliseconds,
    maxAgeMs: orInfinity(someMilliseconds),
    maxRetryAfterMs: milliseconds,
  },
  scaling: {
    minShards: integer(1, 65535),
    maxShards: integer(1, 65535),
    autoScale: flag,
    fillRatioThreshold: someShare,
    flushLatencyThresholdMs: milliseconds,
    underutilizedThreshold: share,
    cooldownMs: someMilliseconds,
    scaleDownDelayMs: someMilliseconds,
    metricsWindowMs: someMilliseconds,
  },
});

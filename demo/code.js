// @ts-check
// The program that makes the bus of the demo, as the controls are.

/** Slots of a shard, of which one stays free. */
export const CAPACITY = 512;
/** The longest pause between two attempts in an outage. */
export const LONGEST_PAUSE_MS = 4000;

/** @typedef {{ backpressure: string, isAutoScaled: boolean, hasStore: boolean }} Settings */

/** Its lines. @param {Settings} settings */
export function codeOf({ backpressure, isAutoScaled, hasStore }) {
  const policy = backpressure === "sample" ? "{ sample: 4 }" : `"${backpressure}"`;
  const lines = [
    'import { EventBus } from "shardbus";',
    'import { httpSink } from "shardbus/sinks/http";',
    ...(hasStore ? ['import { indexedDbStore } from "shardbus/stores/indexeddb";'] : []),
    "",
    'const bus = new EventBus(httpSink("/events"), {',
    "  // And with small bounds, so that you see them reached.",
    "  key: (event) => event.user,",
    `  backpressure: ${policy},`,
    isAutoScaled
      ? "  scaling: { minShards: 1, maxShards: 6 },"
      : "  scaling: { minShards: 3, maxShards: 6, autoScale: false },",
    ...(hasStore ? ["  store: indexedDbStore(),"] : []),
    "});",
    'bus.ingest({ type: "click", user: "ada" });',
  ];
  return `${lines.join("\n")}\n`;
}

/** The options behind those lines. The bounds are small, so that they are reached before your eyes. */
export function optionsOf(/** @type {Settings} */ { backpressure, isAutoScaled }) {
  return {
    capacity: CAPACITY,
    timeoutMs: 4000,
    batch: { minSize: 20, maxSize: 200, maxDelayMs: 600, maxBytes: 16 << 10 },
    retry: { baseDelayMs: 500, maxDelayMs: LONGEST_PAUSE_MS },
    backpressure: backpressure === "sample" ? { sample: 4 } : backpressure,
    scaling: isAutoScaled
      ? {
          minShards: 1,
          maxShards: 6,
          fillRatioThreshold: 0.5,
          cooldownMs: 500,
          scaleDownDelayMs: 2000,
        }
      : { minShards: 3, maxShards: 6, autoScale: false },
  };
}

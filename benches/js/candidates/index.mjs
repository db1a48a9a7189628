// All that is compared.

import { baselines } from "./baselines.mjs";
import { libraries } from "./libraries.mjs";
import { sdks } from "./sdks.mjs";
import { shardbus } from "./shardbus.mjs";

/**
 * Something that takes events and delivers them in batches.
 *
 * @typedef {object} Candidate
 * @property {"shardbus" | "baseline" | "library" | "sdk"} group
 * @property {"object" | "text" | "bytes"} input the form of its events: objects, or JSON as a
 * string or bytes
 * @property {string} about
 * @property {boolean} [isSlow] true if it is so slow that it gets fewer events
 * @property {(context: Context) => Pipeline | Promise<Pipeline>} create
 *
 * @typedef {object} Context
 * @property {number} batchSize events per batch, where a candidate lets one choose
 * @property {(body: Uint8Array) => Promise<void>} deliver takes a batch
 *
 * @typedef {object} Pipeline
 * @property {(event: any) => unknown} push
 * @property {() => Promise<unknown>} finish delivers the remaining events
 */

/** @type {Record<string, Candidate>} */
export const candidates = { ...baselines, ...shardbus, ...libraries, ...sdks };

// Numbers of 64 bits, in halves, and numbers for names.

import type { Backpressure } from "../options.js";

/** The high half of a number of 64 bits; 0, if there is none. */
export const highHalf = (number = 0n): number => Number(number >> 32n);

/** The low half of a number of 64 bits; 0, if there is none. */
export const lowHalf = (number = 0n): number => Number(number & 0xffff_ffffn);

/** A number of 64 bits, given its high and its low half. */
export function joinHalves(high = 0, low = 0): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

const MODES = ["drop-oldest", "drop-newest", "fail-producer"];

/** The rate of a sample; for other modes a number that is no rate. */
export const backpressureNumber = (mode: Backpressure | undefined): number | undefined =>
  typeof mode === "object" ? mode.sample : mode && -MODES.indexOf(mode);

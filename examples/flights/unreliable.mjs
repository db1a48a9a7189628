// @ts-check

/** @type {import("./collector.mjs").Verdict[]} */
const TROUBLES = ["refuse-for-1s", "store-then-fail", "refuse"];

/**
 * Every fifth batch meets trouble at its first attempt, each kind in turn; a second attempt always
 * succeeds. Counted by batch and not at random, so that every run shows every kind of trouble and
 * no run uses up the retries.
 *
 * @type {import("./collector.mjs").Policy}
 */
export function unreliable({ ordinal, attempt }) {
  if (attempt > 1 || ordinal % 5 !== 0) return "store";
  return TROUBLES[(ordinal / 5 - 1) % TROUBLES.length];
}

/**
 * The value below which a share of the values is, between two of them in proportion.
 *
 * @param {number[]} values at least one
 * @param {number} share from 0 to 1
 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = share * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** @param {number[]} values at least one */
export const median = (values) => quantile(values, 0.5);

/** The values' median and range, and the values. @param {number[]} values at least one */
export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values };
}

/**
 * The ratio of two summaries of the same rounds, as the median over rounds: a machine that is slow
 * for a while is slow for both.
 *
 * @param {(ours: number, theirs: number) => number} compare
 */
export function compared(ours, theirs, compare) {
  return median(ours.values.map((value, round) => compare(value, theirs.values[round])));
}

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

/** The values' median and range. @param {number[]} values at least one */
export function summary(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

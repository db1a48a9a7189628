// Checks of single values.

import type { Check } from "./schema.js";

export { flag } from "./schema.js";

export const integer =
  (min: number, max: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be a whole number from ${min} to ${max}`;

// As nanoseconds, a year is far from 2^53.
const YEAR_MS = 31_536_000_000;

export const milliseconds: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= YEAR_MS
    ? undefined
    : `must be a number of milliseconds from 0 to ${YEAR_MS} (a year)`;

/** The core counts nanoseconds; fewer would be none. */
const NANOSECOND_MS = 1e-6;

export const someMilliseconds: Check = (value) =>
  milliseconds(value) === undefined && (value as number) >= NANOSECOND_MS
    ? undefined
    : `must be a number of milliseconds above 0, and at most ${YEAR_MS} (a year)`;

export const orInfinity =
  (check: Check): Check =>
  (value) => {
    const broken = value === Number.POSITIVE_INFINITY ? undefined : check(value);
    return broken && `${broken}, or Infinity`;
  };

export const oneOf =
  (...names: string[]): Check =>
  (value) =>
    names.includes(value as string)
      ? undefined
      : `must be one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;

export const share: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= 1
    ? undefined
    : "must be a number from 0 to 1";

export const someShare: Check = (value) =>
  value !== 0 && share(value) === undefined ? undefined : "must be a number above 0, and at most 1";

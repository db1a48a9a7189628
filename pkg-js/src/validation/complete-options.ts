import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { BOUNDS, DEFAULTS, VELOCITY_WINDOW_RULE } from "../generated/layout.js";

/** Puts the defaults in place of numbers that are NaN, and checks the rules between options. */
export function completeOptions(given: Float64Array): Float64Array {
  const numbers = given.map((number, place) =>
    Number.isNaN(number) ? (DEFAULTS[place] as number) : number,
  );
  const at = (place: number) => numbers[place] as number;
  const brackets = (format: number | undefined) => (format === undefined ? 0 : 2 * at(format));
  for (const [lower, upper, downTo, goesUp, format] of BOUNDS) {
    if (!Number.isNaN(downTo) && Number.isNaN(given[lower])) {
      numbers[lower] = Math.max(Math.min(at(lower), at(upper) - brackets(format)), downTo);
    } else if (goesUp && Number.isNaN(given[upper])) {
      numbers[upper] = Math.max(at(upper), at(lower));
    }
  }
  for (const [lower, upper, , , format, ...rule] of BOUNDS) {
    if (at(lower) + brackets(format) > at(upper)) throw broken(rule, at(rule[0]));
  }
  const [window] = VELOCITY_WINDOW_RULE;
  // The number before it says whether batches adapt; of a nanosecond, the core sees half.
  if (at(window - 1) !== 0 && at(window) < 5e-7) throw broken(VELOCITY_WINDOW_RULE, at(window));
  return numbers;
}

/** The error for a rule between options that is broken. */
const broken = (
  [, option, rule]: readonly [number, string, string],
  value: number,
): InvalidOptionError =>
  new InvalidOptionError(option, `\`${option}\` is ${value}, but it ${rule}`);

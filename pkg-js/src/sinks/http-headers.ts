import { InvalidOptionError, show } from "../internal.js";
import type { FetchHeaders } from "../util/platform.js";

/** Headers in the forms that `fetch` takes, and any other pairs of names and values. */
export type HeaderList =
  | FetchHeaders
  | Readonly<Record<string, string>>
  | Iterable<readonly [name: string, value: string]>;

const RULE =
  "must be a `Headers`, an object or an array of pairs, of names and values that a header can have";

/** The fault of a value as a {@linkcode HeaderList}; none, if it is right. */
export function headersRule(value: unknown): string | undefined {
  try {
    // An iterator gives its pairs once, and later attempts would have none.
    if ((value as Iterable<unknown>)[Symbol.iterator]?.() === value) return RULE;
    toHeaders("headers", value as HeaderList);
    return undefined;
  } catch {
    return RULE;
  }
}

/** @throws {InvalidOptionError} if `list` is of no form that has headers in it. */
export function toHeaders(option: string, list: HeaderList): Headers {
  const entries = entriesOf(list);
  // `Headers` would send the word "undefined".
  if (entries === undefined || entries.some((entry) => entry?.[1] == null)) {
    throw new InvalidOptionError(option, `\`${option}\` is ${show(list)} without headers in it`);
  }
  return new Headers(entries);
}

function entriesOf(list: HeaderList): [string, string][] | undefined {
  if (typeof list !== "object" || list === null) return undefined;
  if (Symbol.iterator in list) return [...(list as Iterable<[string, string]>)];
  // A promise, or an object of a class, has its headers elsewhere, if any.
  const prototype = Object.getPrototypeOf(list);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain ? Object.entries(list) : undefined;
}

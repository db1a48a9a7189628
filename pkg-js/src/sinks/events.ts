import type { Batch } from "../batch.js";
import {
  type Check,
  DeliveryError,
  guardGetters,
  InvalidOptionError,
  messageOf,
  plain,
  type Schema,
  show,
  validateObject,
} from "../internal.js";

// Several entries use these, and a module is in one file.
export { tooLarge, toVerdict } from "./cloudflare-errors.js";
export { finishAnswer } from "./http-answer.js";
export { endOfPart, type PartLimits, partSender } from "./parts.js";

/** The target of a shard's events: a prefix, which gets the shard as its end, or a function. */
export type ShardName = string | ((shard: number) => string);

/** The function behind `name`; a prefix gets the shard after `separator`. */
export function namer(
  option: string,
  name: ShardName,
  separator: string,
): (shard: number) => string {
  if (typeof name === "function") return name;
  if (typeof name === "string" && name !== "") return (shard) => `${name}${separator}${shard}`;
  throw new InvalidOptionError(
    option,
    `\`${option}\` is ${show(name)}, but it must be a prefix or a function of the shard`,
  );
}

/** Checks a name that has no default. */
export function checkName(option: string, name: unknown): void {
  if (typeof name === "string" && name !== "") return;
  throw new InvalidOptionError(option, `\`${option}\` is ${show(name)}, but it must be a name`);
}

/** Checks that an engine's client has the method that the sink uses. */
export function checkClient(option: string, client: unknown, method: string, what: string): void {
  const isClient = guardGetters(() => typeof (client as Record<string, unknown>)?.[method]);
  if (isClient === "function") return;
  const sentence = `\`${option}\` is ${show(client)}, but it must be ${what}`;
  throw new InvalidOptionError(option, sentence);
}

/** Checks the options of a sink, and copies them. */
export function checkSinkOptions<O extends object>(options: O, schema: Schema): O {
  return guardGetters(() => validateObject(options, schema, "")) as O;
}

/** A whole number of at least 1. */
export const count: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 1
    ? undefined
    : "must be a whole number of at least 1";

/**
 * Sees to it that a body says what its batch has: in an array, an event that is not one JSON text
 * spoils the others.
 *
 * @throws {DeliveryError} which has such an event given up alone.
 */
export function checkBody(batch: Batch & { readonly isSound?: boolean }): void {
  // To parse a batch costs more than to make it.
  if (batch.contentType === "application/json" && batch.isSound !== true) batch.events();
}

/**
 * Asks a function of the user's about an event. It would throw at each attempt, as in an outage without
 * end.
 *
 * @throws {DeliveryError} which has the event given up alone.
 */
export function askOf<R>(option: string, ask: () => R): R {
  try {
    return ask();
  } catch (cause) {
    const sentence = `\`${option}\` threw for an event: ${plain(messageOf(cause))}`;
    throw new DeliveryError(sentence, { split: true, cause });
  }
}

/**
 * An address that paths are put below, without the slash that it may end with.
 *
 * @throws {InvalidOptionError} if a path would become a part of its query.
 */
export function baseOf(option: string, url: string): string {
  if (/[?#]/.test(url)) {
    const sentence = `\`${option}\` is ${show(url)}, but it must be without a query: the sink sends to a path below it`;
    throw new InvalidOptionError(option, sentence);
  }
  return url.replace(/\/+$/, "");
}

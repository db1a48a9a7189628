import type { Batch } from "../batch.js";
import { callable, DeliveryError, flag, InvalidOptionError, isRecord, show } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { baseOf, finishAnswer } from "./events.js";
import { type HttpSinkOptions, httpSink } from "./http.js";

/** The options of `httpSink` that a preset leaves to you. */
export type PresetOptions = Pick<HttpSinkOptions, "fetch" | "gzip" | "headers">;

/** The checks of {@linkcode PresetOptions}; `httpSink` checks the headers. */
export const presetSchema = { fetch: callable, gzip: flag, headers: () => undefined };

/** The part of an `httpSink` that a preset determines. */
interface Preset {
  readonly headers: Readonly<Record<string, string>>;
  readonly encode?: HttpSinkOptions["encode"];
  /** Judges a response that is ok. */
  readonly read?: (response: FetchResponse, batch: Batch) => unknown;
  /** Judges a response that is not; by default the status decides. */
  readonly refuse?: (response: FetchResponse, batch: Batch) => unknown;
}

/** An `httpSink` to `url` with the options of a user. */
export function presetSink(
  url: string | Url | ((batch: Batch) => string),
  { fetch, gzip, headers }: PresetOptions,
  { headers: own, encode, read, refuse = refuseByStatus }: Preset,
): DeliveryCallback {
  return httpSink(url, {
    fetch,
    gzip,
    headers,
    encode,
    init: { headers: own },
    check: (response, batch) => (response.ok ? read?.(response, batch) : refuse(response, batch)),
  });
}

/**
 * Throws the error of a response. A receiver refuses all events of a body for one that is not one
 * JSON text: if there is one, it is abandoned alone.
 */
export async function refuseByStatus(response: FetchResponse, batch: Batch): Promise<never> {
  // Before the error, which would cancel the body and so close its connection.
  await finishAnswer(response);
  if (response.status === 400) batch.events();
  throw DeliveryError.fromResponse(response);
}

/**
 * The events' texts, for a body in which one that is not one JSON text would spoil the others or
 * pass for several.
 *
 * @throws {DeliveryError} which has such an event given up alone.
 */
export function jsonTexts(batch: Batch): string[] {
  batch.events();
  return [...batch];
}

/** The time at which a batch began: milliseconds since the Unix epoch. */
export const millisecondsOf = ({ firstTimestamp }: Batch): number =>
  Number(firstTimestamp / 1_000_000n);

/** The events as one JSON array. */
export const jsonArray = (texts: Iterable<string>): string => `[${[...texts].join(",")}]`;

/** Checks an option that has no default. */
export function required(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "") return;
  throw new InvalidOptionError(
    name,
    `\`${name}\` is ${show(value)}, but it must be a string, and not empty`,
  );
}

export const text = (value: unknown): string | undefined =>
  typeof value === "string" ? undefined : "must be a string";

export const texts = (value: unknown): string | undefined =>
  isRecord(value) && Object.values(value).every((one) => typeof one === "string")
    ? undefined
    : "must be an object whose values are strings";

/**
 * Checks an option that is sent in a header. The error does not cite it, because it may be a secret.
 */
export function checkSendable(name: string, value: string): void {
  try {
    new Headers({ [name]: value });
  } catch {
    const sentence = `\`${name}\` has a character that no header can have, so it cannot be sent`;
    throw new InvalidOptionError(name, sentence);
  }
}

/** A path below a receiver's address. @throws {InvalidOptionError} if the address has a query. */
export const below = (url: string | Url, path: string): string =>
  `${baseOf("url", String(url))}/${path}`;

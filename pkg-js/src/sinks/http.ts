import type { Batch } from "../batch.js";
import {
  callable,
  checkUrl,
  DeliveryError,
  flag,
  InvalidOptionError,
  isBytes,
  isRecord,
  show,
  utf8Encoder,
} from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Bytes, FetchInit, FetchResponse, Url } from "../util/platform.js";
import { checkBody, checkSinkOptions, finishAnswer } from "./events.js";
import { makeCompressor } from "./http-compress.js";
import { type HeaderList, headersRule, toHeaders } from "./http-headers.js";
import { sendThrough } from "./http-redirect.js";
import { withId } from "./http-url.js";

export type { HeaderList } from "./http-headers.js";

/** Options of an {@linkcode httpSink}. */
export interface HttpSinkOptions<T = unknown> {
  /** More headers, or others than the sink's own. A function is asked at each attempt. */
  readonly headers?:
    | HeaderList
    | ((batch: Batch<T>) => HeaderList | PromiseLike<HeaderList>)
    | undefined;
  /**
   * Compresses bodies, in runtimes with `CompressionStream`. Requests that a page makes as it goes
   * are not compressed: they have to begin at once.
   * @default false
   */
  readonly gzip?: boolean | undefined;
  /**
   * Allows headers for which browsers ask a server of another origin first. If false, the content
   * type is `text/plain`, nothing is compressed, and the batch's id is in the query, as `id`.
   * @default true
   */
  readonly preflight?: boolean | undefined;
  /**
   * Makes the body of a batch's request. Name its content type by `headers`.
   * @default (batch) => batch.body
   */
  readonly encode?: ((batch: Batch<T>) => string | Bytes) | undefined;
  /**
   * Judges the response: the batch is delivered unless it throws or rejects. It may read the body;
   * the sink reads a little of the rest. It may return the outcomes of single events.
   * @default throws `DeliveryError.fromResponse(response)` unless `response.ok`
   */
  readonly check?: ((response: FetchResponse, batch: Batch<T>) => unknown) | undefined;
  /**
   * The origins, such as `https://other.example`, that a redirect may lead to, beside the one that
   * the request went to. All headers go along, credentials too.
   * @default []
   */
  readonly redirectOrigins?: readonly string[] | undefined;
  /**
   * Other options of `fetch`, such as `method` or `credentials`.
   * @default { method: "POST" }
   */
  readonly init?:
    | (Omit<FetchInit, "body" | "headers" | "keepalive" | "redirect" | "signal"> & {
        readonly headers?: HeaderList | undefined;
      })
    | undefined;
  /**
   * Used instead of the global `fetch`.
   */
  readonly fetch?: ((url: string | Url, init: FetchInit) => Promise<FetchResponse>) | undefined;
}

/** The options of `fetch` that the sink sets itself. */
const OWN = ["body", "keepalive", "redirect", "signal"];

const schema = {
  headers: (value: unknown) => (typeof value === "function" ? undefined : headersRule(value)),
  gzip: flag,
  preflight: flag,
  encode: callable,
  check: callable,
  redirectOrigins: (value: unknown) =>
    Array.isArray(value) && value.every(isOrigin)
      ? undefined
      : "must be an array of origins, such as `https://other.example`",
  init: (value: unknown) => {
    if (!isRecord(value)) return "must be an object";
    const own = OWN.find((name) => value[name] !== undefined);
    if (own !== undefined) return `must not have \`${own}\`, which the sink sets`;
    if (value.mode === "no-cors") return "must not have the mode no-cors, which hides all answers";
    return value.headers === undefined ? undefined : headersRule(value.headers);
  },
  fetch: callable,
};

/**
 * Sends each batch as the body of one request, with `batch.contentType` and with `batch.id` as its
 * `Idempotency-Key`, which stays the same over all attempts.
 *
 * Answers of 408, 425, 429 and 5xx are retried, after `Retry-After` if there is one, and so is a
 * request without an answer. A batch that got 413 is split in two. A redirect is no delivery: 307 and
 * 308 are followed within the origin, where the runtime shows them (browsers do not), and all others
 * are retried. Any other answer that is not ok is permanent. Up to 64 KiB of a response are read, so
 * that its connection is used again.
 *
 * @example
 * ```ts
 * const bus = new EventBus(httpSink("https://collector.example/events", { gzip: true }));
 * ```
 * @param url where to send to, or a function that says so for each batch.
 * @throws {InvalidOptionError} if an option has a wrong name or type, or nothing can be sent to `url`.
 */
export function httpSink<T = unknown>(
  url: string | Url | ((batch: Batch<T>) => string | Url),
  options: HttpSinkOptions<T> = {},
): DeliveryCallback<T> {
  const own = checkSinkOptions(options, schema);
  const { headers = {}, init, gzip = false, preflight = true, check = throwUnlessOk } = own;
  const { redirectOrigins = [], encode = bodyOf } = own;
  const fixed = init?.headers && toHeaders("init.headers", init.headers);
  // A `fetch` of one's own decides about URLs itself.
  const checked = (target: string | URL) => {
    if (own.fetch === undefined) checkUrl(target);
    return target;
  };
  if (typeof url !== "function") checked(url);
  const compress = gzip && preflight ? makeCompressor() : undefined;
  return async (batch, { signal, keepalive }) => {
    const encoded = encode(batch);
    // No `await` before `fetch` that need not be: a page that goes does not come back from it.
    const base = typeof url === "function" ? checked(url(batch)) : url;
    const target = preflight ? base : withId(base, batch.id);
    const all = new Headers(
      preflight
        ? { "content-type": batch.contentType, "idempotency-key": batch.id }
        : { "content-type": "text/plain" },
    );
    const asked = typeof headers === "function" ? headers(batch) : headers;
    const given = toHeaders("headers", isPromise(asked) ? await asked : asked);
    for (const [name, value] of [...(fixed ?? []), ...given]) all.set(name, value);

    let body = toBody(encoded);
    const compressing = compress?.(body);
    const compressed = compressing && (await compressing);
    if (compressed !== undefined) {
      body = compressed;
      all.set("content-encoding", "gzip");
    }
    const request: RequestInit = {
      method: "POST",
      ...init,
      headers: all,
      body,
      signal,
      redirect: "manual",
      // Bun takes a `false` for a wish to close the connection.
      ...(keepalive && { keepalive }),
    };
    const send = own.fetch ?? fetch;
    const answer = await sendThrough((to) => send(to, request), target, redirectOrigins);
    try {
      return await check(answer, batch);
    } finally {
      await finishAnswer(answer);
    }
  };
}

function bodyOf(batch: Batch): Bytes {
  checkBody(batch);
  return batch.body;
}

/** @throws {InvalidOptionError} for other values, of which `fetch` would send the name as text. */
function toBody(encoded: string | Bytes): Bytes {
  if (typeof encoded === "string") return utf8Encoder().encode(encoded);
  if (isBytes(encoded)) return encoded;
  const sentence = `\`encode\` returned ${show(encoded)}, but it must return a string or a Uint8Array, and no promise of one`;
  throw new InvalidOptionError("encode", sentence);
}

async function throwUnlessOk(answer: Response): Promise<void> {
  if (answer.ok) return;
  // Before the error, which would cancel the body and so close its connection.
  await finishAnswer(answer);
  throw DeliveryError.fromResponse(answer);
}

/**
 * A `check` for collectors that never answer with HTML. An answer in HTML comes from something
 * before them, such as the log-in page of a hotel's network or an outage page, and the batch waits
 * until it is gone.
 *
 * @example
 * ```ts
 * const bus = new EventBus(httpSink("https://collector.example/events", { check: refuseHtml }));
 * ```
 */
export async function refuseHtml(response: FetchResponse): Promise<void> {
  const { headers, status } = response;
  if (/^\s*(text\/html|application\/xhtml\+xml)\b/i.test(headers.get("content-type") ?? "")) {
    const sentence = `Something before the receiver answered ${status} with a page of HTML`;
    throw new DeliveryError(sentence, { unavailable: true, status });
  }
  await throwUnlessOk(response);
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | undefined)?.then === "function";

const isOrigin = (value: unknown): boolean => {
  try {
    return new URL(value as string).origin === value;
  } catch {
    return false;
  }
};

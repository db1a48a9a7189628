import type { Batch } from "../batch.js";
import type { DeliveryCallback } from "../options.js";
import { callable, DeliveryError, flag, InvalidOptionError, isRecord, show } from "../shared.js";
import { checkSinkOptions } from "./events.js";

/** How an {@linkcode httpSink} sends. */
export interface HttpSinkOptions {
  /** More headers, or others than the sink's own. A function is asked at each attempt. */
  readonly headers?:
    | Readonly<Record<string, string>>
    | ((batch: Batch) => Readonly<Record<string, string>>);
  /**
   * Whether bodies are compressed, where the runtime has `CompressionStream`. Requests that may
   * outlive their page are not: they have to begin at once.
   * @default false
   */
  readonly gzip?: boolean;
  /**
   * Whether headers are sent for which browsers ask a server of another origin first. If not, the
   * content type is `text/plain`, nothing is compressed, and the batch's id is in the query, as `id`.
   * @default true
   */
  readonly preflight?: boolean;
  /**
   * Judges the response: the batch is delivered unless it throws or rejects. It may read the body;
   * what it leaves is read for it.
   * @default throws `DeliveryError.fromResponse(response)` unless `response.ok`
   */
  readonly check?: (response: Response) => unknown;
  /**
   * What else is passed to `fetch`, such as `method` or `credentials`.
   * @default { method: "POST" }
   */
  readonly init?: Omit<RequestInit, "body" | "headers" | "keepalive" | "signal">;
  /**
   * Used instead of the global `fetch`.
   */
  readonly fetch?: (url: string | URL, init: RequestInit) => Promise<Response>;
}

const schema = {
  headers: (value: unknown) =>
    isRecord(value) || typeof value === "function"
      ? undefined
      : "must be an object or a function of the batch",
  gzip: flag,
  preflight: flag,
  check: callable,
  init: (value: unknown) => (isRecord(value) ? undefined : "must be an object"),
  fetch: callable,
};

/**
 * Sends each batch as the body of one request, with `batch.contentType` and with `batch.id` as its
 * `Idempotency-Key`, which stays the same over all attempts.
 *
 * Answers of 408, 425, 429 and 5xx are retried, after `Retry-After` if there is one, and so is a
 * request without an answer. A batch that got 413 is split in two. Any other answer that is not ok
 * is permanent. Responses are read to their end, so that their connections are used again.
 *
 * @example
 * ```ts
 * const bus = new EventBus(httpSink("https://collector.example/events", { gzip: true }));
 * ```
 * @param url where to send to, or a function that says so for each batch.
 * @throws {InvalidOptionError} if an option has a wrong name or type.
 */
export function httpSink(
  url: string | URL | ((batch: Batch) => string | URL),
  options: HttpSinkOptions = {},
): DeliveryCallback {
  checkUrl(url);
  checkSinkOptions(options, schema);
  const { headers, init, gzip = false, preflight = true, check = throwUnlessOk } = options;
  return async (batch, { signal, keepalive }) => {
    // No `await` before `fetch` unless the body is compressed: a page that goes does not come back.
    const base = typeof url === "function" ? url(batch) : url;
    const target = preflight ? base : withId(base, batch.id);
    const all = new Headers(
      preflight
        ? { "content-type": batch.contentType, "idempotency-key": batch.id }
        : { "content-type": "text/plain" },
    );
    const own = typeof headers === "function" ? headers(batch) : (headers ?? {});
    for (const [name, value] of Object.entries(own)) all.set(name, value);

    let body = batch.body;
    if (gzip && preflight && !keepalive && typeof CompressionStream !== "undefined") {
      body = await compress(body);
      all.set("content-encoding", "gzip");
    }
    const send = options.fetch ?? fetch;
    const response = await send(target, {
      method: "POST",
      ...init,
      headers: all,
      body,
      signal,
      keepalive,
    });
    try {
      await check(response);
    } finally {
      // The answer is known: that the rest of it is lost changes nothing.
      if (!response.bodyUsed) await response.arrayBuffer().catch(() => {});
    }
  };
}

async function throwUnlessOk(response: Response): Promise<void> {
  // Before the error, which would cancel the body and so close its connection.
  await response.arrayBuffer().catch(() => {});
  if (!response.ok) throw DeliveryError.fromResponse(response);
}

function withId(url: string | URL, id: string): string {
  const text = String(url);
  return `${text}${text.includes("?") ? "&" : "?"}id=${id}`;
}

async function compress(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function checkUrl(url: unknown): void {
  if ((typeof url === "string" && url !== "") || typeof url === "function") return;
  if (url instanceof URL) return;
  const sentence = `\`url\` is ${show(url)}, but it must be a URL or a function of the batch`;
  throw new InvalidOptionError("url", sentence);
}

import type { EventOutcomes } from "../event-outcomes.js";
import { plain } from "../util/format-value.js";
import { own } from "../util/own.js";
import type { HttpResponse } from "../util/platform.js";
import { ShardbusError } from "./shardbus-error.js";

/** Decides the future of a batch whose callback failed. */
export interface DeliveryErrorOptions {
  /** The error behind this one. */
  readonly cause?: unknown;
  /**
   * False if no other attempt can succeed: then the batch is given up at once.
   * @default true
   */
  readonly retryable?: boolean | undefined;
  /**
   * The destination is in an outage: it takes no batch at the moment, whichever it is. The batch
   * waits for its return, and no attempt is held against it. If false, the receiver refused this
   * batch, which is given up after `retry.maxAttempts`.
   * @default true if `status` is 408, 425, 429, 502, 503, 504 or 511, or that of a redirect
   */
  readonly unavailable?: boolean | undefined;
  /**
   * True if the receiver will not take something in the batch, while it would take the rest: then
   * the batch is split in two, which are sent in order, down to the single event that is to blame;
   * that one is given up. Goes before `retryable`.
   * @default false
   */
  readonly split?: boolean | undefined;
  /**
   * True if the receiver would take a smaller batch: the batch is split in two, too.
   * @default false
   */
  readonly tooLarge?: boolean | undefined;
  /**
   * Milliseconds to wait at least before the next attempt, up to `retry.maxRetryAfterMs`. The bus
   * waits for the longer of this and its own pause.
   * @default 0
   */
  readonly retryAfterMs?: number | undefined;
  /** The response's HTTP status, if there was one. */
  readonly status?: number | undefined;
  /** The outcomes of single events; the others were delivered. Goes before all other options. */
  readonly outcomes?: EventOutcomes | undefined;
}

/** Statuses by which a receiver, or something before it, sends a request elsewhere. */
const REDIRECTS = [301, 302, 303, 307, 308];
/** Statuses that speak of the state of the receiver, or of the way to it, and not of the request. */
const UNAVAILABLE = [...REDIRECTS, 408, 425, 429, 502, 503, 504, 511];

/** Thrown by the callback to say what should become of the batch. */
export class DeliveryError extends ShardbusError {
  override name = "DeliveryError" as const;
  readonly code = "ERR_DELIVERY";
  /** True if another attempt may succeed. */
  readonly retryable: boolean;
  /** True if the destination is in an outage. */
  readonly unavailable: boolean;
  /** True if the batch is to be split to find the events that the receiver does not take. */
  readonly split: boolean;
  /** True if the receiver would take a smaller batch. */
  readonly tooLarge: boolean;
  /** Milliseconds to wait at least before the next attempt. */
  readonly retryAfterMs: number;
  /** The response's HTTP status, if there was one. */
  readonly status: number | undefined;
  /** The outcomes of single events. */
  readonly outcomes: EventOutcomes | undefined;

  constructor(message: string, options: DeliveryErrorOptions = {}) {
    super(message, options);
    this.status = own(options, "status");
    this.retryable = own(options, "retryable") ?? true;
    this.unavailable = own(options, "unavailable") ?? UNAVAILABLE.includes(this.status ?? 0);
    this.split = own(options, "split") ?? false;
    this.tooLarge = own(options, "tooLarge") ?? false;
    this.retryAfterMs = Math.max(0, own(options, "retryAfterMs") ?? 0) || 0;
    this.outcomes = own(options, "outcomes");
  }

  /**
   * The error for a response that is not ok. 408, 425, 429, 502, 503, 504, 511 and redirects tell of
   * an outage, and other statuses from 500 on of a refusal; both are retryable, after `Retry-After`
   * if the response has one. 413 is too large; every other status is permanent. The response's body
   * is cancelled, so that its connection can be used again.
   */
  static fromResponse(response: HttpResponse): DeliveryError {
    return errorOf(response);
  }
}

function errorOf(response: HttpResponse): DeliveryError {
  const { status, headers, type } = response;
  response.body?.cancel().catch(() => {
    // Somebody reads the body already; then it is theirs to finish.
  });
  // All that browsers tell of a redirect.
  const isHidden = type === "opaqueredirect";
  return new DeliveryError(isHidden ? REDIRECTED : sentenceOf(response), {
    ...(isHidden && { unavailable: true }),
    retryable: isHidden || status >= 500 || UNAVAILABLE.includes(status),
    tooLarge: status === 413,
    retryAfterMs: retryAfterMs(headers),
    status,
  });
}

const REDIRECTED = "The receiver redirects elsewhere: send to the address that it redirects to";

function sentenceOf({ status, statusText, headers }: HttpResponse): string {
  const answered = `The receiver answered ${status} ${plain(statusText)}`.trimEnd();
  const location = REDIRECTS.includes(status) ? plain(headers.get("location") ?? "") : "";
  return location === "" ? answered : `${answered}, a redirect to ${location}: send there`;
}

/**
 * Milliseconds that a `Retry-After` header asks for; 0 if it cannot be read (RFC 9110, 10.2.3). A
 * date is held against the response's own `Date`, because devices' clocks are wrong by hours.
 */
function retryAfterMs(headers: HttpResponse["headers"]): number {
  const header = headers.get("retry-after");
  if (header === null) return 0;
  const sentAt = Date.parse(headers.get("date") ?? "");
  const now = Number.isNaN(sentAt) ? Date.now() : sentAt;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

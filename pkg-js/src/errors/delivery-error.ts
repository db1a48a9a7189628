import type { EventOutcomes } from "../event-outcomes.js";
import { ShardbusError } from "./shardbus-error.js";

/** What the bus should do with a batch whose callback failed. */
export interface DeliveryErrorOptions extends ErrorOptions {
  /**
   * Whether another attempt may succeed. If not, the batch is given up at once.
   * @default true
   */
  readonly retryable?: boolean;
  /**
   * Whether the destination is in an outage: it takes nothing at the moment, whatever it is sent.
   * Then the batch waits for its return, and no attempt is held against it. If not, the receiver
   * refused this batch, which is given up after `retry.maxAttempts`.
   * @default true if `status` is 408, 425, 429, 502, 503 or 504
   */
  readonly unavailable?: boolean;
  /**
   * Whether the batch holds something that the receiver does not take, while it would take the
   * rest: then the batch is split in two, which are sent in order, down to the single event that is
   * to blame; that one is given up. Goes before `retryable`.
   * @default false
   */
  readonly split?: boolean;
  /**
   * Whether the receiver would take a smaller batch: the batch is split in two, too.
   * @default false
   */
  readonly tooLarge?: boolean;
  /**
   * Milliseconds to wait at least before the next attempt, up to `retry.maxRetryAfterMs`. The bus
   * waits for the longer of this and its own pause.
   * @default 0
   */
  readonly retryAfterMs?: number;
  /** The response's HTTP status, if there was one. */
  readonly status?: number;
  /** What became of single events; the others were delivered. Goes before all the rest. */
  readonly outcomes?: EventOutcomes;
}

/** Statuses that speak of the receiver's state and not of the request. */
const UNAVAILABLE = [408, 425, 429, 502, 503, 504];

/** Thrown by the callback to say what should become of the batch. */
export class DeliveryError extends ShardbusError {
  override name = "DeliveryError" as const;
  readonly code = "ERR_DELIVERY";
  /** Whether another attempt may succeed. */
  readonly retryable: boolean;
  /** Whether the destination is in an outage. */
  readonly unavailable: boolean;
  /** Whether the batch is to be split to find what the receiver does not take. */
  readonly split: boolean;
  /** Whether the receiver would take a smaller batch. */
  readonly tooLarge: boolean;
  /** Milliseconds to wait at least before the next attempt. */
  readonly retryAfterMs: number;
  /** The response's HTTP status, if there was one. */
  readonly status: number | undefined;
  /** What became of single events. */
  readonly outcomes: EventOutcomes | undefined;

  constructor(message: string, options: DeliveryErrorOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? true;
    this.unavailable = options.unavailable ?? UNAVAILABLE.includes(options.status ?? 0);
    this.split = options.split ?? false;
    this.tooLarge = options.tooLarge ?? false;
    this.retryAfterMs = Math.max(0, options.retryAfterMs ?? 0) || 0;
    this.status = options.status;
    this.outcomes = options.outcomes;
  }

  /**
   * The error for a response that is not ok. 408, 425, 429, 502, 503 and 504 tell of an outage, and
   * other statuses from 500 on of a refusal; both are retryable, after `Retry-After` if the response
   * has one. 413 is too large; every other status is permanent. The response's body is cancelled, so
   * that its connection can be used again.
   */
  static fromResponse(response: Response): DeliveryError {
    const { status, statusText, headers } = response;
    response.body?.cancel().catch(() => {
      // Somebody reads the body already; then it is theirs to finish.
    });
    return new DeliveryError(`The receiver answered ${status} ${statusText}`.trimEnd(), {
      retryable: status >= 500 || UNAVAILABLE.includes(status),
      tooLarge: status === 413,
      retryAfterMs: retryAfterMs(headers),
      status,
    });
  }
}

/**
 * Milliseconds that a `Retry-After` header asks for; 0 if it cannot be read (RFC 9110, 10.2.3). A
 * date is held against the response's own `Date`, because devices' clocks are wrong by hours.
 */
function retryAfterMs(headers: Headers): number {
  const header = headers.get("retry-after");
  if (header === null) return 0;
  const sentAt = Date.parse(headers.get("date") ?? "");
  const now = Number.isNaN(sentAt) ? Date.now() : sentAt;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

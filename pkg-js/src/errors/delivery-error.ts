import { ShardbusError } from "./shardbus-error.js";

/** What the bus should do with a batch whose callback failed. */
export interface DeliveryErrorOptions extends ErrorOptions {
  /**
   * Whether another attempt may succeed. If not, the batch is given up at once.
   * @default true
   */
  readonly retryable?: boolean;
  /**
   * Whether the receiver would take a smaller batch: then the batch is split in two, which are sent
   * in order; a single event is given up. Goes before `retryable`.
   * @default false
   */
  readonly tooLarge?: boolean;
  /**
   * Milliseconds to wait at least before the next attempt. The bus waits for the longer of this and
   * its own backoff.
   * @default 0
   */
  readonly retryAfterMs?: number;
  /** The response's HTTP status, if there was one. */
  readonly status?: number;
}

/** Thrown by the callback to say what should become of the batch. */
export class DeliveryError extends ShardbusError {
  override name = "DeliveryError" as const;
  readonly code = "ERR_DELIVERY";
  /** Whether another attempt may succeed. */
  readonly retryable: boolean;
  /** Whether the receiver would take a smaller batch. */
  readonly tooLarge: boolean;
  /** Milliseconds to wait at least before the next attempt. */
  readonly retryAfterMs: number;
  /** The response's HTTP status, if there was one. */
  readonly status: number | undefined;

  constructor(message: string, options: DeliveryErrorOptions = {}) {
    super(message, options);
    this.retryable = options.retryable ?? true;
    this.tooLarge = options.tooLarge ?? false;
    this.retryAfterMs = Math.max(0, options.retryAfterMs ?? 0) || 0;
    this.status = options.status;
  }

  /**
   * The error for a response that is not ok: 408, 425, 429 and 5xx are retryable, after
   * `Retry-After` if the response has one; 413 is too large; every other status is permanent. The
   * response's body is cancelled, so that its connection can be used again.
   */
  static fromResponse(response: Response): DeliveryError {
    const { status, statusText, headers } = response;
    response.body?.cancel().catch(() => {
      // Somebody reads the body already; then it is theirs to finish.
    });
    return new DeliveryError(`The receiver answered ${status} ${statusText}`.trimEnd(), {
      retryable: status >= 500 || status === 408 || status === 425 || status === 429,
      tooLarge: status === 413,
      retryAfterMs: retryAfterMs(headers.get("retry-after")),
      status,
    });
  }
}

/** Milliseconds that a `Retry-After` header asks for; 0 if it cannot be read (RFC 9110, 10.2.3). */
function retryAfterMs(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

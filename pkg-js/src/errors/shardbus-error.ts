/** Every code that an error of this package can have. */
export type ErrorCode =
  | "ERR_BACKPRESSURE"
  | "ERR_CLOSED"
  | "ERR_DELIVERY"
  | "ERR_EVENT_TOO_LARGE"
  | "ERR_INVALID_EVENT"
  | "ERR_INVALID_OPTION"
  | "ERR_NOT_INITIALIZED"
  | "ERR_POISONED"
  | "ERR_SCALING"
  | "ERR_STORE"
  | "ERR_TIMEOUT"
  | "ERR_WASM_UNAVAILABLE";

// Registered, so that errors of another copy of this package, or of another realm, are known too.
const brand = Symbol.for("shardbus.error");

/** The base of every error of this package. */
export abstract class ShardbusError extends Error {
  /** Says which error this is; stable over releases, unlike the message. */
  abstract readonly code: ErrorCode;

  /** @internal */
  get [brand](): true {
    return true;
  }
}

/** Tells an error of this package, of whichever copy or realm. */
export function isShardbusError(value: unknown): value is ShardbusError {
  try {
    return typeof value === "object" && value !== null && brand in value;
  } catch {
    // A proxy that does not answer is none of ours.
    return false;
  }
}

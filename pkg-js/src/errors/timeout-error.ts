import { ShardbusError } from "./shardbus-error.js";

/** The `signal.reason` of an attempt that took longer than `timeoutMs`, or than the bus's life. */
export class TimeoutError extends ShardbusError {
  override name = "TimeoutError" as const;
  readonly code = "ERR_TIMEOUT";
}

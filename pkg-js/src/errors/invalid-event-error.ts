import { ShardbusError } from "./shardbus-error.js";

/** The event cannot become part of a batch. */
export class InvalidEventError extends ShardbusError {
  override name = "InvalidEventError" as const;
  readonly code = "ERR_INVALID_EVENT";
}

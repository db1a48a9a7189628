import { ShardbusError } from "./shardbus-error.js";

/** The bus was closed. */
export class ClosedError extends ShardbusError {
  override name = "ClosedError" as const;
  readonly code = "ERR_CLOSED";

  constructor() {
    super("The bus is closed; create a new one to send more events");
  }
}

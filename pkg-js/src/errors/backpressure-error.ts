import { ShardbusError } from "./shardbus-error.js";

/** The bus has no room for the event, and `backpressure` is `"fail-producer"`. */
export class BackpressureError extends ShardbusError {
  override name = "BackpressureError" as const;
  readonly code = "ERR_BACKPRESSURE";

  constructor() {
    super("The bus is full; wait for `bus.ready()` and try again, or send less");
  }
}

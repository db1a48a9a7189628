import { ShardbusError } from "./shardbus-error.js";

/** `shardbus/slim` was used before `initialize`. */
export class NotInitializedError extends ShardbusError {
  override name = "NotInitializedError" as const;
  readonly code = "ERR_NOT_INITIALIZED";

  constructor() {
    super(
      'The WebAssembly module is not loaded; call `initialize(module)` of "shardbus/slim" first, or import "shardbus", which loads it by itself',
    );
  }
}

import { ShardbusError } from "./shardbus-error.js";

/** The WebAssembly module trapped earlier. Its memory cannot be trusted any more. */
export class PoisonedError extends ShardbusError {
  override name = "PoisonedError" as const;
  readonly code = "ERR_POISONED";

  constructor(trap: unknown) {
    super(
      "The WebAssembly module of shardbus failed and is dead; restart this process or worker, and please report the `cause`",
      { cause: trap },
    );
  }
}

import { ShardbusError } from "./shardbus-error.js";

/** An option has a wrong name, type or value. */
export class InvalidOptionError extends ShardbusError {
  override name = "InvalidOptionError" as const;
  readonly code = "ERR_INVALID_OPTION";
  /** The option's path, such as `batch.maxSize`. */
  readonly option: string;

  constructor(option: string, sentence: string, options?: { cause?: unknown }) {
    super(sentence, options);
    this.option = option;
  }
}

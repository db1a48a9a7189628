import { ShardbusError } from "./shardbus-error.js";

/** The event has more bytes than `maxEventBytes`. */
export class EventTooLargeError extends ShardbusError {
  override name = "EventTooLargeError" as const;
  readonly code = "ERR_EVENT_TOO_LARGE";
  /** The limit, in bytes. */
  readonly maxEventBytes: number;

  constructor(maxEventBytes: number) {
    super(
      `The event has more than ${maxEventBytes} bytes as UTF-8; send less in one event, or raise \`maxEventBytes\` (and \`batch.maxBytes\`)`,
    );
    this.maxEventBytes = maxEventBytes;
  }
}

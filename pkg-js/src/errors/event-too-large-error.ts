import { ShardbusError } from "./shardbus-error.js";

/** The event has more bytes than `maxEventBytes`, or its key has more than `maxKeyBytes`. */
export class EventTooLargeError extends ShardbusError {
  override name = "EventTooLargeError" as const;
  readonly code = "ERR_EVENT_TOO_LARGE";
  /** The limit that it is above: of the event, or of its key. */
  readonly option: "maxEventBytes" | "maxKeyBytes";
  /** That limit, in bytes. */
  readonly limit: number;

  constructor(option: "maxEventBytes" | "maxKeyBytes", limit: number) {
    super(
      option === "maxEventBytes"
        ? `The event has more than ${limit} bytes as UTF-8; send less in one event, or raise \`maxEventBytes\` (and \`batch.maxBytes\`)`
        : `The event's key has more than ${limit} bytes as UTF-8; use a shorter one, such as its hash, or raise \`maxKeyBytes\``,
    );
    this.option = option;
    this.limit = limit;
  }
}

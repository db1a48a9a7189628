import { DeliveryError, flag, messageOf, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { checkClient, checkSinkOptions, count, namer, type ShardName } from "./events.js";

export type { ShardName } from "./events.js";

/**
 * The part of a client that a {@linkcode natsSink} uses; `jetstream()` of `@nats-io/jetstream` has
 * it.
 */
export interface JetStreamPublisher {
  publish(
    subject: string,
    payload: string,
    options: { msgID: string; expect?: { lastMsgID: string } },
  ): Promise<unknown>;
}

/** Options of a {@linkcode natsSink}. */
export interface NatsSinkOptions {
  /**
   * Promises that only one shard of one bus writes to each stream. Then a message is refused unless
   * the one before it is the stream's last, so that order holds in every state of the stream.
   * Should something else write to it, batches are given up.
   * @default false
   */
  readonly exclusive?: boolean | undefined;
  /**
   * The number of messages that are published before their acknowledgements are awaited. With 1,
   * order holds in every state of the stream, at the price of a round trip for each message.
   * @default 500
   */
  readonly window?: number | undefined;
}

const schema = { exclusive: flag, window: count };

/**
 * Publishes each event as a message to NATS JetStream. Its `Nats-Msg-Id` is `nonce-shard-sequence`,
 * as in the id of a batch, so that within the stream's `duplicate_window` (two minutes, unless you
 * set it) the server keeps one of each, however often it is sent.
 *
 * In the stream, the events of a shard are in order: over retries, reconnects and restarts of the
 * server. Only where the stream refuses single messages and takes later ones (it is full and
 * discards new messages; it has replicas and changes its leader) may one come late; `exclusive` or
 * `window: 1` rule that out.
 *
 * A message that is too large for the stream is given up, alone. Refused permissions and other
 * answers of 4xx are permanent. Everything else is retried, also when no stream takes the subject,
 * because a server that starts says the same.
 *
 * @example
 * ```ts
 * const js = jetstream(await connect());
 * const bus = new EventBus(natsSink(js, "events"), { shards: 4 }); // events.0 to events.3
 * ```
 * @param js the client, connected. Closing it is yours, after the bus.
 * @param subject the shard's subject: a prefix, which gets `.` and the shard, or a function.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function natsSink(
  js: JetStreamPublisher,
  subject: ShardName,
  options: NatsSinkOptions = {},
): DeliveryCallback {
  checkClient("js", js, "publish", "a client, as `jetstream()` of `@nats-io/jetstream` makes");
  const subjectOf = namer("subject", subject, ".");
  const { exclusive = false, window = 500 } = checkSinkOptions(options, schema);
  return async (batch, { signal }) => {
    const name = subjectOf(batch.shard);
    const events = [...batch];
    for (let start = 0; start < events.length; start += window) {
      // Once the attempt was cut off, a later one may be further than this.
      signal.throwIfAborted();
      // Published in one turn, they leave over one connection: what arrives is a beginning of them.
      const acks = events.slice(start, start + window).map((event, i) => {
        const msgID = batch.eventId(start + i);
        const follows = exclusive && i > 0;
        const expect = { lastMsgID: batch.eventId(start + i - 1) };
        return js.publish(name, event, follows ? { msgID, expect } : { msgID });
      });
      for (const ack of await Promise.allSettled(acks)) {
        // The first: those after it may be its consequences.
        if (ack.status === "rejected") throw toVerdict(ack.reason);
      }
    }
  };
}

/** "Message size exceeds maximum allowed": of the stream. */
const TOO_LARGE = 10054;
/** No later attempt has another result. */
const PERMANENT = [
  "AuthorizationError",
  "InvalidArgumentError",
  "InvalidSubjectError",
  "PermissionViolationError",
];

function toVerdict(error: unknown): DeliveryError {
  const { name, code, status, cause } = error as Record<string, unknown>;
  const message = messageOf(error);
  const isRefusal = name === "JetStreamApiError" && typeof status === "number" && status < 500;
  const names = [name, (cause as Error | undefined)?.name] as string[];
  return new DeliveryError(`JetStream did not take the events: ${plain(message)}`, {
    cause: error,
    tooLarge: code === TOO_LARGE || /max_payload/.test(message),
    retryable: !isRefusal && !names.some((n) => PERMANENT.includes(n)),
    unavailable: true,
  });
}

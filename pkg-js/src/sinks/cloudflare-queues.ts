import type { Batch } from "../batch.js";
import {
  DeliveryError,
  InvalidOptionError,
  messageOf,
  plain,
  show,
  utf8Encoder,
} from "../internal.js";
import type { DeliveryCallback } from "../options.js";

/** The part of a binding that a {@linkcode cloudflareQueuesSink} uses; a `Queue` has it. */
export interface QueueProducer<T = unknown> {
  sendBatch(messages: Iterable<{ body: QueuedEvent<T>; contentType: "json" }>): Promise<unknown>;
}

/** The body of a message. */
export interface QueuedEvent<T = unknown> {
  /** Identifies the event; the same if it comes twice. */
  readonly id: string;
  /** The shard that it comes from. */
  readonly shard: number;
  /** Its index in that shard: gap-free, so that events out of order can be put in order. */
  readonly sequence: number;
  readonly event: T;
}

/** Most messages of a `sendBatch`. */
const MAX_MESSAGES = 100;
/** Most bytes of a `sendBatch`, and of a message: "KB", taken for the less. */
const MAX_BATCH_BYTES = 256_000;
const MAX_MESSAGE_BYTES = 128_000;
/** The platform's own share of a message: "about 100 bytes". */
const OVERHEAD_BYTES = 128;

/**
 * Sends each event as a message to a Cloudflare queue, with the content type `json` and a
 * {@linkcode QueuedEvent} as its body; as many at once as the platform takes, 100 messages or 256 kB.
 *
 * Queues promise neither order nor one delivery: `shard` and `sequence` in the body give the order,
 * and `id` tells duplicates. If a part of a batch fails, the next attempt begins with that part.
 *
 * An event that is larger than 128 kB, or came by `ingestRaw` and is not one JSON text, is given
 * up, alone. All others are retried.
 *
 * @example
 * ```ts
 * import { env } from "cloudflare:workers";
 * const bus = new EventBus(cloudflareQueuesSink(env.EVENTS));
 * ```
 * @param queue the binding, or a function that says which one is the shard's.
 * @throws {InvalidOptionError} if `queue` is neither.
 */
export function cloudflareQueuesSink<T = unknown>(
  queue: QueueProducer<T> | ((shard: number) => QueueProducer<T>),
): DeliveryCallback<T> {
  if (typeof queue !== "function" && typeof queue?.sendBatch !== "function") {
    const sentence = `\`queue\` is ${show(queue)}, but it must be a queue's binding or a function of the shard`;
    throw new InvalidOptionError("queue", sentence);
  }
  /** The part of each shard's batch that was sent, for the attempt after one that fails. */
  const begun = new Map<number, { id: string; sent: number }>();
  return async (batch, { signal }) => {
    const { id, shard } = batch;
    const producer = typeof queue === "function" ? queue(shard) : queue;
    const { bodies, rejected } = parse(batch);
    const before = begun.get(shard);
    let sent = before?.id === id ? Math.min(before.sent, bodies.length) : 0;
    const sizes = bodies.map((body) => sizeOf(body));
    if (sizes.some((size) => size > MAX_MESSAGE_BYTES)) {
      throw tooLarge(`A message would be larger than ${MAX_MESSAGE_BYTES} bytes`);
    }
    while (sent < bodies.length) {
      signal.throwIfAborted();
      const end = endOfCall(sizes, sent);
      const messages = bodies
        .slice(sent, end)
        .map((body) => ({ body, contentType: "json" }) as const);
      try {
        await producer.sendBatch(messages);
      } catch (error) {
        throw toVerdict(error);
      }
      sent = end;
      begun.set(shard, { id, sent });
    }
    begun.delete(shard);
    return { rejected };
  };
}

/** The messages of a batch, and which of its events cannot be in one. */
function parse<T>(batch: Batch<T>) {
  const bodies: QueuedEvent<T>[] = [];
  const rejected: { index: number; error: unknown }[] = [];
  for (const [index, text] of [...batch].entries()) {
    const id = batch.eventId(index);
    try {
      const event = JSON.parse(text);
      bodies.push({ id, shard: batch.shard, sequence: batch.sequence + index, event });
    } catch {
      rejected.push({ index, error: new DeliveryError(`The event ${id} is not one JSON text`) });
    }
  }
  return { bodies, rejected };
}

function sizeOf(body: QueuedEvent): number {
  return utf8Encoder().encode(JSON.stringify(body)).length + OVERHEAD_BYTES;
}

/** The end of the call that begins with the message `start`. */
function endOfCall(sizes: number[], start: number): number {
  let end = start;
  let bytes = 0;
  while (end < sizes.length && end - start < MAX_MESSAGES) {
    bytes += sizes[end] as number;
    if (end > start && bytes > MAX_BATCH_BYTES) break;
    end++;
  }
  return end;
}

/** The platform has no codes for its errors, only texts. */
function toVerdict(error: unknown): DeliveryError {
  const message = messageOf(error);
  const sentence = `The queue did not take the messages: ${plain(message)}`;
  if (/payload too large|exceeds/i.test(message)) return tooLarge(sentence, error);
  return new DeliveryError(sentence, { cause: error, unavailable: true });
}

function tooLarge(sentence: string, cause?: unknown): DeliveryError {
  return new DeliveryError(sentence, { tooLarge: true, cause });
}

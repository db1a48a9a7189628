import type { Batch } from "../batch.js";
import { DeliveryError, flag, InvalidOptionError, show, utf8Encoder } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { checkSinkOptions, partSender, tooLarge, toVerdict } from "./events.js";

/** The part of a binding that a {@linkcode cloudflareQueuesSink} uses; a `Queue` has it. */
export interface QueueProducer<T = unknown, Body = QueuedEvent<T>> {
  sendBatch(messages: Iterable<{ body: Body; contentType: "json" }>): Promise<unknown>;
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

/** The body of a message with several events, which follow each other in their shard. */
export interface QueuedEvents<T = unknown> {
  /** Identifies the first event, and the message; the same if it comes twice. */
  readonly id: string;
  /** The shard that they come from. */
  readonly shard: number;
  /** The index of the first event in that shard; the next ones follow without gaps. */
  readonly sequence: number;
  readonly events: readonly T[];
}

/** Options of a {@linkcode cloudflareQueuesSink}. */
export interface CloudflareQueuesOptions {
  /**
   * Puts as many events into one message as fit, because a queue is paid by the message: then its
   * body is a {@linkcode QueuedEvents}.
   * @default false
   */
  readonly pack?: boolean | undefined;
}

/** A queue's binding, or a function that says which one is the shard's. */
type QueueChoice<T, Body> = QueueProducer<T, Body> | ((shard: number) => QueueProducer<T, Body>);

const schema = { pack: flag };

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
  queue: QueueChoice<T, QueuedEvent<T>>,
  options?: { readonly pack?: false | undefined },
): DeliveryCallback<T>;
export function cloudflareQueuesSink<T = unknown>(
  queue: QueueChoice<T, QueuedEvents<T>>,
  options: { readonly pack: true },
): DeliveryCallback<T>;
export function cloudflareQueuesSink<T>(
  queue: QueueChoice<T, QueuedEvent<T> | QueuedEvents<T>>,
  options: CloudflareQueuesOptions = {},
): DeliveryCallback<T> {
  if (typeof queue !== "function" && typeof queue?.sendBatch !== "function") {
    const sentence = `\`queue\` is ${show(queue)}, but it must be a queue's binding or a function of the shard`;
    throw new InvalidOptionError("queue", sentence);
  }
  const { pack = false } = checkSinkOptions(options, schema);
  const sendParts = partSender({ maxCount: MAX_MESSAGES, maxBytes: MAX_BATCH_BYTES });
  return async (batch, { signal }) => {
    const producer = typeof queue === "function" ? queue(batch.shard) : queue;
    const { bodies: single, rejected } = parse(batch);
    const bodies = pack ? packed(single) : single;
    const sizes = bodies.map((body) => sizeOf(body));
    if (sizes.some((size) => size > MAX_MESSAGE_BYTES)) {
      throw tooLarge(`A message would be larger than ${MAX_MESSAGE_BYTES} bytes`);
    }
    await sendParts(batch, sizes, signal, async (start, end) => {
      const messages = bodies
        .slice(start, end)
        .map((body) => ({ body, contentType: "json" }) as const);
      try {
        await producer.sendBatch(messages);
      } catch (error) {
        throw toVerdict("The queue did not take the messages", error);
      }
    });
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

/** Puts events together that follow each other, as many as fit. */
function packed<T>(bodies: readonly QueuedEvent<T>[]): QueuedEvents<T>[] {
  const messages: (QueuedEvents<T> & { events: T[] })[] = [];
  let bytes = 0;
  for (const { event, ...place } of bodies) {
    // With the comma before it.
    const size = lengthOf(event) + 1;
    const last = messages.at(-1);
    const follows = last !== undefined && last.sequence + last.events.length === place.sequence;
    if (follows && bytes + size <= MAX_MESSAGE_BYTES) {
      last.events.push(event);
      bytes += size;
    } else {
      const message = { ...place, events: [event] };
      messages.push(message);
      bytes = sizeOf(message);
    }
  }
  return messages;
}

const sizeOf = (body: QueuedEvent | QueuedEvents): number => lengthOf(body) + OVERHEAD_BYTES;

const lengthOf = (value: unknown): number => utf8Encoder().encode(JSON.stringify(value)).length;

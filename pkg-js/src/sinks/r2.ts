import type { Batch } from "../batch.js";
import { callable, DeliveryError, idStem, messageOf, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { checkBody, checkClient, checkSinkOptions } from "./events.js";

/** The part of a binding that an {@linkcode r2Sink} uses; an `R2Bucket` has it. */
export interface ObjectBucket {
  put(
    key: string,
    value: Uint8Array,
    options: { httpMetadata: { contentType: string } },
  ): Promise<unknown>;
}

/** Options of an {@linkcode r2Sink}. */
export interface R2SinkOptions<T = unknown> {
  /**
   * The key of a batch's object. It must be the same for the same batch, and another for any other.
   * @default {@linkcode objectKey}
   */
  readonly key?: ((batch: Batch<T>) => string) | undefined;
}

const schema = { key: callable };

/**
 * Writes each batch as one object to a bucket of Cloudflare R2, with the batch's content type. A
 * batch that is sent again overwrites its object with the same, so that nothing is there twice.
 *
 * A shard's objects, in the order of their keys, have its events in order. Every failure is retried.
 *
 * @example
 * ```ts
 * import { env } from "cloudflare:workers";
 * const bus = new EventBus(r2Sink(env.EVENTS), { batch: { maxSize: 10_000, maxBytes: 4 << 20 } });
 * ```
 * @param bucket the binding.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function r2Sink<T = unknown>(
  bucket: ObjectBucket,
  options: R2SinkOptions<T> = {},
): DeliveryCallback<T> {
  checkClient("bucket", bucket, "put", "a bucket's binding");
  const { key = objectKey } = checkSinkOptions(options, schema);
  return async (batch) => {
    checkBody(batch);
    const httpMetadata = { contentType: batch.contentType };
    try {
      await bucket.put(key(batch), batch.body, { httpMetadata });
    } catch (cause) {
      const sentence = `The bucket did not take the batch: ${plain(messageOf(cause))}`;
      throw new DeliveryError(sentence, { cause, unavailable: true });
    }
  };
}

/** Digits of the largest sequence number, 2^53 - 1. */
const DIGITS = 16;

/**
 * `events/<runId>-<shard>/<sequence>.ndjson`, or `.json`: the sequence number of the first event
 * with leading zeros, so that keys sort in its order.
 */
export function objectKey(batch: Batch): string {
  const stem = idStem(batch.id);
  const extension = batch.contentType === "application/json" ? "json" : "ndjson";
  return `events/${stem}/${`${batch.sequence}`.padStart(DIGITS, "0")}.${extension}`;
}

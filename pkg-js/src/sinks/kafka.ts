import type { Batch } from "../batch.js";
import { DeliveryError, InvalidOptionError, messageOf, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { checkClient, checkName, checkSinkOptions, count } from "./events.js";

/** The part of a producer that a {@linkcode kafkaSink} uses; KafkaJS's and Confluent's have it. */
export interface KafkaProducer {
  send(record: {
    topic: string;
    acks: number;
    messages: { partition: number; value: string; headers: { id: string } }[];
  }): Promise<unknown>;
}

/** Options of a {@linkcode kafkaSink}. */
export interface KafkaSinkOptions {
  /**
   * The number of the topic's partitions. A shard's events go to the one with its number, modulo
   * this.
   */
  readonly partitions: number;
}

const schema = { partitions: count };

/**
 * Produces each event as a message of a Kafka topic, with its JSON text as the value and the header
 * `id`, which is `nonce-shard-sequence` as in the id of a batch. A batch is one request, answered by
 * all replicas in sync.
 *
 * In the partition, the events of a shard are in order. Make the producer an idempotent one, so
 * that its own repetitions are neither stored twice nor out of order. Should it give up, the batch
 * is produced again, and events that the broker had stored come a second time, with the same `id`.
 *
 * A batch that is too large for the topic is split in two; a message that is, is given up alone.
 * Refused permissions and invalid topics and records are permanent. Everything else is retried, also
 * when the topic is not there, because a broker that starts says the same.
 *
 * @example
 * ```ts
 * const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
 * await producer.connect();
 * const bus = new EventBus(kafkaSink(producer, "events", { partitions: 12 }), { shards: 4 });
 * ```
 * @param producer connected. Disconnecting it is yours, after the bus.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function kafkaSink(
  producer: KafkaProducer,
  topic: string,
  options: KafkaSinkOptions,
): DeliveryCallback {
  checkClient("producer", producer, "send", "a producer, as `kafka.producer()` makes");
  checkName("topic", topic);
  const { partitions } = checkSinkOptions(options, schema);
  if (partitions === undefined) {
    const sentence = "`partitions` is missing: say how many partitions the topic has";
    throw new InvalidOptionError("partitions", sentence);
  }
  const send = async (batch: Batch): Promise<void> => {
    const partition = batch.shard % partitions;
    const messages = [...batch].map((value, i) => {
      return { partition, value, headers: { id: batch.eventId(i) } };
    });
    try {
      await producer.send({ topic, acks: ALL_IN_SYNC, messages });
    } catch (error) {
      throw toVerdict(error);
    }
  };
  /**
   * The sends under way, by id. A producer goes on with a send that was cut off, in an outage for
   * ever.
   */
  const sending = new Map<string, Sending>();
  return async (batch) => {
    const { id, count } = batch;
    let mine = sending.get(id);
    // The same again would be a copy, and the producer would send all of them in the end.
    if (mine?.count !== count) {
      mine = { count, sent: send(batch) };
      sending.set(id, mine);
    }
    try {
      await mine.sent;
    } finally {
      if (sending.get(id) === mine) sending.delete(id);
    }
  };
}

/** A batch on its way. */
interface Sending {
  /** Another one, if the batch was split since. */
  readonly count: number;
  readonly sent: Promise<void>;
}

const ALL_IN_SYNC = -1;

/** Codes of the protocol: `MESSAGE_TOO_LARGE`, `RECORD_LIST_TOO_LARGE`. */
const TOO_LARGE = new Set<unknown>([10, 18]);
/**
 * Codes of the protocol: `INVALID_TOPIC_EXCEPTION`, `TOPIC_AUTHORIZATION_FAILED`,
 * `CLUSTER_AUTHORIZATION_FAILED`, `INVALID_RECORD`. No later attempt has another result.
 */
const PERMANENT = new Set<unknown>([17, 29, 31, 87]);

function toVerdict(error: unknown): DeliveryError {
  const codes = codesOf(error);
  return new DeliveryError(`Kafka did not take the batch: ${plain(messageOf(error))}`, {
    cause: error,
    tooLarge: codes.some((code) => TOO_LARGE.has(code)),
    retryable: !codes.some((code) => PERMANENT.has(code)),
    unavailable: true,
  });
}

/** The codes of an error and of its causes: a client that gave up says so first. */
function codesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  return [(error as { code?: unknown }).code, ...codesOf(error.cause)];
}

import type { CoreBus } from "./core/core-bus.js";
import type { BatchHead } from "./core/layout.js";
import { DeliveryError } from "./errors/delivery-error.js";
import type { Bytes } from "./util/platform.js";
import { utf8Decoder } from "./util/utf8.js";

/** Consecutive events of one shard, ready to send. */
export interface Batch<T = unknown> {
  /** Identifies the batch; the same over all its attempts. */
  readonly id: string;
  /** The shard that the events come from. */
  readonly shard: number;
  /**
   * The index of the first event among all that ever left its shard. Gap-free: the next batch
   * starts `count` later.
   */
  readonly sequence: number;
  /** The number of events. */
  readonly count: number;
  /**
   * The events, in the bus's `format`. NDJSON has a newline between two events, and none after the
   * last.
   */
  readonly body: Bytes;
  /** `application/x-ndjson` or `application/json`. */
  readonly contentType: string;
  /** The time at which the first event was accepted: nanoseconds since the Unix epoch. */
  readonly firstTimestamp: bigint;
  /** The time at which the last event was accepted: nanoseconds since the Unix epoch. */
  readonly lastTimestamp: bigint;
  /**
   * Parses the events.
   *
   * @throws {DeliveryError} if one of them, which came by `ingestRaw`, is not one JSON text. Thrown
   * by the callback, it has the batch split, until that event is given up alone.
   */
  events(): T[];
  /** The events as JSON texts, exactly as they came in. */
  [Symbol.iterator](): Iterator<string>;
  /**
   * Identifies an event, for receivers that drop duplicates: it is the id of a batch that begins
   * with the event. It stays the same over attempts, and when the batch is split.
   *
   * @param index the event's place in the batch, from 0.
   */
  eventId(index: number): string;
}

/** The common stem of the ids of a shard's batches and events: `<runId>-<shard>`. */
export function idStem(id: string): string {
  return id.slice(0, id.lastIndexOf("-"));
}

/** A batch as it comes out of the core. */
export class CoreBatch<T> implements Batch<T> {
  readonly id: string;
  readonly shard: number;
  readonly sequence: number;
  readonly count: number;
  readonly body: Bytes;
  readonly contentType: string;
  readonly firstTimestamp: bigint;
  readonly lastTimestamp: bigint;
  /** True if each event is sure to be one JSON text. */
  readonly isSound: boolean;
  readonly #lens: Uint32Array;

  constructor(core: CoreBus, head: BatchHead) {
    this.id = head.id;
    this.shard = head.shard;
    this.sequence = head.sequence;
    this.count = head.count;
    this.body = core.copyBody();
    this.#lens = core.copyLens();
    this.contentType = head.isJson ? "application/json" : "application/x-ndjson";
    this.firstTimestamp = head.firstTimestamp;
    this.lastTimestamp = head.lastTimestamp;
    this.isSound = !core.mayHaveRaw;
  }

  events(): T[] {
    return this.#texts().map((text, i) => {
      try {
        return JSON.parse(text);
      } catch {
        // Without the message of `JSON.parse`, which cites the event, which may be private.
        const sentence = `The event ${this.eventId(i)} is not one JSON text`;
        throw new DeliveryError(sentence, { split: true });
      }
    });
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#texts()[Symbol.iterator]();
  }

  eventId(index: number): string {
    return `${idStem(this.id)}-${this.sequence + index}`;
  }

  /**
   * The events as texts. Only the core knows where one ends: a payload that is not one JSON text
   * may look like several, or like a part of one.
   */
  #texts(): string[] {
    const { body } = this;
    const decoder = utf8Decoder();
    const text = decoder.decode(body);
    // Then no character has several bytes, and all of them are where their bytes are.
    const isNarrow = text.length === body.length;
    const texts: string[] = [];
    let start = this.contentType === "application/json" ? 1 : 0;
    for (const len of this.#lens) {
      const end = start + len;
      texts.push(isNarrow ? text.slice(start, end) : decoder.decode(body.subarray(start, end)));
      start = end + 1;
    }
    return texts;
  }
}

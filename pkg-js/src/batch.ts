import type { CoreBus } from "./core-bus.js";
import { batchHead } from "./numbers.js";
import { splitJsonArray } from "./split.js";

const decoder = new TextDecoder();

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
  /** How many events. */
  readonly count: number;
  /**
   * The events, in the bus's `format`. NDJSON has a newline between two events, and none after the
   * last.
   */
  readonly body: Uint8Array<ArrayBuffer>;
  /** `application/x-ndjson` or `application/json`. */
  readonly contentType: string;
  /** When the first event was accepted: nanoseconds since the Unix epoch. */
  readonly firstTimestamp: bigint;
  /** When the last event was accepted: nanoseconds since the Unix epoch. */
  readonly lastTimestamp: bigint;
  /** Parses the events. */
  events(): T[];
  /** The events as JSON texts, exactly as they came in. */
  [Symbol.iterator](): Iterator<string>;
  /**
   * Identifies an event, for receivers that drop what they have already: as the batch that begins
   * with it. It stays the same over attempts, and when the batch is split.
   *
   * @param index the event's place in the batch, from 0.
   */
  eventId(index: number): string;
}

/** What the ids of a shard's batches and events have in common: `nonce-shard`. */
export function idStem(id: string): string {
  return id.slice(0, id.lastIndexOf("-"));
}

/** A batch as it comes out of the core. */
export class CoreBatch<T> implements Batch<T> {
  readonly id: string;
  readonly shard: number;
  readonly sequence: number;
  readonly count: number;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly firstTimestamp: bigint;
  readonly lastTimestamp: bigint;

  constructor(core: CoreBus) {
    const head = batchHead(core);
    this.id = head.id;
    this.shard = head.shard;
    this.sequence = head.sequence;
    this.count = head.count;
    this.body = core.batch_body() as Uint8Array<ArrayBuffer>;
    this.contentType = head.isJson ? "application/json" : "application/x-ndjson";
    this.firstTimestamp = head.firstTimestamp;
    this.lastTimestamp = head.lastTimestamp;
  }

  events(): T[] {
    const text = decoder.decode(this.body);
    // A JSON text in a line of NDJSON holds no raw newline, so every one of them separates.
    return JSON.parse(this.#isNdjson ? `[${text.replaceAll("\n", ",")}]` : text);
  }

  [Symbol.iterator](): Iterator<string> {
    const text = decoder.decode(this.body);
    return (this.#isNdjson ? text.split("\n") : splitJsonArray(text))[Symbol.iterator]();
  }

  eventId(index: number): string {
    return `${idStem(this.id)}-${this.sequence + index}`;
  }

  get #isNdjson(): boolean {
    return this.contentType === "application/x-ndjson";
  }
}

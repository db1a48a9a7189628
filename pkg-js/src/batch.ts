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
}

/** A number of 64 bits, as the core hands it out: its high and its low half. */
export function joinHalves([high = 0, low = 0]: Uint32Array): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
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

  constructor(core: BatchSource) {
    this.id = core.batch_id();
    this.shard = core.batch_shard();
    this.sequence = core.batch_sequence();
    this.count = core.batch_len();
    this.body = core.batch_body() as Uint8Array<ArrayBuffer>;
    this.contentType = core.batch_is_json() ? "application/json" : "application/x-ndjson";
    const timestamps = core.batch_timestamps();
    this.firstTimestamp = joinHalves(timestamps.subarray(0, 2));
    this.lastTimestamp = joinHalves(timestamps.subarray(2));
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

  get #isNdjson(): boolean {
    return this.contentType === "application/x-ndjson";
  }
}

/** The part of the core's class that describes the batch it handed out last. */
interface BatchSource {
  batch_id(): string;
  batch_shard(): number;
  batch_sequence(): number;
  batch_len(): number;
  batch_body(): Uint8Array;
  batch_is_json(): boolean;
  batch_timestamps(): Uint32Array;
}

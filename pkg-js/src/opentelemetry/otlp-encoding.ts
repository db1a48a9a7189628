import type { Batch } from "../batch.js";
import type { Bytes } from "../util/platform.js";
import type { Grouped, Groups } from "./groups.js";
import type { Signal } from "./otlp-messages.js";

/** The records that a receiver refused of a request that it took otherwise. */
export interface Rejection {
  readonly count: number;
  readonly message: string;
}

/** JSON or protobuf. `T` is one encoded record. */
export interface OtlpEncoding<T> {
  readonly contentType: string;
  /** The event that the bus holds: the encoded record, and the number of its group. */
  encode<R>(signal: Signal<R>, record: R, group: number): string | Uint8Array;
  /** The records of a batch, by resource and scope. */
  group(batch: Batch, groups: Groups): Grouped<T>;
  /** The body of a request. */
  request(signal: Signal<never>, records: Grouped<T>): Bytes;
  /** The partial success that an answer tells of. */
  rejection(signal: Signal<never>, answer: Uint8Array): Rejection | undefined;
}

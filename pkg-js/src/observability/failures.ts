import { idStem } from "../batch.js";
import type { LastError } from "../stats.js";
import { reasonOf } from "../util/format-value.js";

/** Why events were lost. */
export interface Cause {
  readonly error: unknown;
  /** Since when attempts have failed, without one that succeeded: milliseconds since the epoch. */
  readonly since: number | undefined;
}

/** Remembers why attempts failed, for the reports of losses. */
export class Failures {
  /** The failure of the last attempt, until one succeeds; by run and shard. */
  readonly #byLane = new Map<string, unknown>();
  /** Why single events were rejected; by the id of the first of them. */
  readonly #byId = new Map<string, unknown>();
  #error: unknown;
  #since: number | undefined;
  #last: LastError | undefined;

  /** The last attempt that failed, of any batch. */
  get last(): LastError | undefined {
    return this.#last;
  }

  /** Why there may be no room: how attempts fail now; nothing, if the last one succeeded. */
  get current(): Cause | undefined {
    return this.#since === undefined ? undefined : { error: this.#error, since: this.#since };
  }

  /** An attempt of a batch failed. */
  note(batchId: string, attempt: number, error: unknown): void {
    const at = Date.now();
    this.#byLane.set(idStem(batchId), error);
    this.#error = error;
    this.#since ??= at;
    this.#last = { at, message: reasonOf(error), attempt };
  }

  /** The events from the one with this id on were rejected. */
  noteRejected(eventId: string, attempt: number, error: unknown): void {
    this.#byId.set(eventId, error);
    this.#last = { at: Date.now(), message: reasonOf(error), attempt };
  }

  /** A batch was delivered. */
  noteDelivered(batchId: string): void {
    this.#since = undefined;
    this.#error = undefined;
    if (this.#byLane.size > 0) this.#byLane.delete(idStem(batchId));
  }

  /** Why a batch was given up. */
  take(batchId: string): unknown {
    const isRejected = this.#byId.has(batchId);
    const error = isRejected ? this.#byId.get(batchId) : this.#byLane.get(idStem(batchId));
    this.#byId.delete(batchId);
    return error;
  }
}

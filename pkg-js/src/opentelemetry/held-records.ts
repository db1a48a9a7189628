/** The records of an attempt. */
export interface Lease<R> {
  readonly sequence: number;
  readonly records: R[];
}

/**
 * The records of a stock exporter, which takes objects. The bus has one event for each, in the same
 * order, and so the sequence number of a batch says which records it has.
 */
export class HeldRecords<R> {
  /** The records of the pending events. */
  readonly pending: R[] = [];
  /** The sequence number of the first of them. */
  #next = 0;
  #leased: Lease<R> | undefined;

  /** The records of a batch, for one attempt. A batch that is sent again gets the same ones. */
  lease(sequence: number, count: number): Lease<R> {
    const current = this.#leased;
    const records = current?.sequence === sequence ? current.records : this.#take(sequence, count);
    this.#leased = { sequence, records };
    return this.#leased;
  }

  #take(sequence: number, count: number): R[] {
    // Events that were drained or evicted have left their records behind.
    this.pending.splice(0, sequence - this.#next);
    this.#next = sequence + count;
    return this.pending.splice(0, count);
  }

  /** Forgets the records of a batch that is settled: not at the late end of an earlier attempt. */
  release(lease: Lease<R>): void {
    if (this.#leased === lease) this.#leased = undefined;
  }

  clear(): void {
    this.pending.length = 0;
    this.#leased = undefined;
  }
}

/**
 * The records of a stock exporter, which takes objects. The bus has one event for each, in the same
 * order, and so the sequence number of a batch says which records it has.
 */
export class HeldRecords<R> {
  /** The records of the pending events. */
  readonly pending: R[] = [];
  /** The sequence number of the first of them. */
  #next = 0;
  #leased: { readonly sequence: number; readonly records: R[] } | undefined;

  /** The records of a batch. A batch that is sent again gets the same ones. */
  lease(sequence: number, count: number): R[] {
    if (this.#leased?.sequence === sequence) return this.#leased.records;
    // Events that were drained or evicted have left their records behind.
    this.pending.splice(0, sequence - this.#next);
    const records = this.pending.splice(0, count);
    this.#next = sequence + count;
    this.#leased = { sequence, records };
    return records;
  }

  /** Forgets the records of a batch that is settled. */
  release(sequence: number): void {
    if (this.#leased?.sequence === sequence) this.#leased = undefined;
  }

  clear(): void {
    this.pending.length = 0;
    this.#leased = undefined;
  }
}

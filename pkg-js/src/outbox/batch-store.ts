/**
 * Keeps batches beyond the run of a process or a page: an *outbox*. The bus writes opaque bytes
 * under a key; a batch is written before its first attempt and removed once it is settled.
 *
 * Keys consist of lower-case letters, digits and `-`, have at most 80 characters, and sort in the
 * order in which batches are to be sent. A store serves one bus at a time. One of your own
 * goes through `customStore()` of `shardbus/stores/custom`, without which no bus takes it.
 */
export interface BatchStore {
  /**
   * Most bytes that a bus may have in it, above 0. A bus whose memory is full then leaves batches to
   * the store alone, and reads them again when their turn to be sent has come; beyond this bound it
   * evicts the oldest. Less than the bus's `maxBytes` stands for as many. Without it, no batch is in
   * the store alone.
   */
  readonly maxBytes?: number | undefined;
  /**
   * Opens the store. Called once, before anything else.
   *
   * @param found takes the keys of batches whose run ends later, while this store is open; the store
   * may call it any number of times until it is closed, or never.
   * @returns the keys of batches of earlier runs, in any order. Batches of a run that has not ended,
   * such as another tab's, are not among them. Batches that cannot be used, such as those of another
   * version, may be among them: reading one says why.
   */
  open(found?: (keys: string[]) => void): Promise<string[]>;
  /** Reads a batch; `undefined` if it is not there. */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Writes a batch, in place of the key's present value. Resolves once it survives a crash. */
  write(key: string, bytes: Uint8Array): Promise<void>;
  /** Writes a batch before it returns, where the runtime can: for the last moment of a process. */
  writeSync?(key: string, bytes: Uint8Array): void;
  /** Removes a batch. One that is not there is removed already. */
  remove(key: string): Promise<void>;
  /**
   * Sets a damaged batch aside, so that somebody can look at it and `open` does not list it again.
   * Optional; without it the batch stays.
   */
  setAside?(key: string): Promise<void>;
  /** Releases the store; its batches stay. Called once, after everything else. */
  close?(): Promise<void>;
}

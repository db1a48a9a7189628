import { ShardbusError } from "./shardbus-error.js";

/** An operation of a store. */
export type StoreOperation = "open" | "read" | "write" | "remove" | "set-aside" | "close";

/** An operation of a store failed. Batches in memory are sent all the same. */
export class StoreError extends ShardbusError {
  override name = "StoreError" as const;
  readonly code = "ERR_STORE";
  /** The operation that failed. */
  readonly operation: StoreOperation;
  /** The key in the store, where it was about one. */
  readonly key: string | undefined;

  constructor(
    message: string,
    { operation, key, cause }: { operation: StoreOperation; key?: string; cause?: unknown },
  ) {
    super(message, { cause });
    this.operation = operation;
    this.key = key;
  }
}

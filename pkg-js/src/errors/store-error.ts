import { ShardbusError } from "./shardbus-error.js";

/** What a store was asked to do. */
export type StoreOperation = "open" | "read" | "write" | "remove" | "set-aside" | "close";

/** A store did not do what it was asked to. Batches that are in memory are sent all the same. */
export class StoreError extends ShardbusError {
  override name = "StoreError" as const;
  readonly code = "ERR_STORE";
  /** What it was asked to do. */
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

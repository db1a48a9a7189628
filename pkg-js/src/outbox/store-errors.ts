import type { StoreError } from "../internal.js";

/** Reports failed operations of the store to the user; without a handler, warns once. */
export function storeErrorReporter(
  onStoreError: ((error: StoreError) => void) | undefined,
): (error: StoreError) => void {
  let warned = false;
  return (error) => {
    if (onStoreError !== undefined) {
      try {
        onStoreError(error);
      } catch (thrown) {
        console.error("shardbus: the `onStoreError` handler threw", thrown);
      }
    } else if (!warned) {
      warned = true;
      console.warn(
        `shardbus: ${error.message}. This is the only warning: pass \`onStoreError\` to hear of all`,
      );
    }
  };
}

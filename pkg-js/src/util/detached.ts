import { isShardbusError } from "../errors/shardbus-error.js";

/**
 * Runs a task without a caller who could catch its errors. A dead module is reported to every user
 * of it; any other error is a bug of this package.
 */
export function ignorePoisoned(task: () => void): void {
  try {
    task();
  } catch (error) {
    throwUnlessPoisoned(error);
  }
}

/** {@linkcode ignorePoisoned} for a task that takes its time. */
export const ignorePoisonedAsync = (task: Promise<void>): Promise<void> =>
  task.catch(throwUnlessPoisoned);

/** Throws an error, except a `PoisonedError`, of whichever copy of this package. */
export function throwUnlessPoisoned(error: unknown): void {
  if (!isShardbusError(error) || error.code !== "ERR_POISONED") throw error;
}

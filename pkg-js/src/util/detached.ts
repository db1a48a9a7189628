import { PoisonedError } from "../errors/poisoned-error.js";

/**
 * Runs a task without a caller who could catch its errors. A dead module is reported to every user
 * of it; any other error is a bug of this package.
 */
export function ignorePoisoned(task: () => void): void {
  try {
    task();
  } catch (error) {
    if (!(error instanceof PoisonedError)) throw error;
  }
}

/** {@linkcode ignorePoisoned} for a task that takes its time. */
export async function ignorePoisonedAsync(task: Promise<void>): Promise<void> {
  try {
    await task;
  } catch (error) {
    if (!(error instanceof PoisonedError)) throw error;
  }
}

import { PoisonedError } from "../errors/poisoned-error.js";

/**
 * Runs a task that has no caller who could catch what it throws. A dead module tells everybody who
 * uses it; anything else is a bug of ours.
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

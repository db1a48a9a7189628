// @ts-check
import { deferred, within } from "../js/harness.mjs";

/**
 * A list of occurrences, in order, for whose entries tests can wait.
 *
 * @template T
 */
export class Log {
  /** @type {T[]} */
  entries = [];
  /** @type {Set<() => void>} */
  #looks = new Set();

  /** @param {T} entry */
  add(entry) {
    this.entries.push(entry);
    for (const look of this.#looks) look();
  }

  /**
   * Waits until `isSo` holds of the entries.
   *
   * @param {(entries: T[]) => boolean} isSo
   */
  async until(isSo) {
    const { promise, resolve } = deferred();
    const look = () => isSo(this.entries) && resolve();
    this.#looks.add(look);
    look();
    try {
      await within(promise, () => `waited for more than ${JSON.stringify(this.entries)}`);
    } finally {
      this.#looks.delete(look);
    }
  }
}

/** Gives a lock back, or asks no longer for it. */
type Release = () => void;

/**
 * Locks that tell stores in different tabs which batches are still somebody's: batches have an owner,
 * and the lock of that owner is held while there are some. A lock that is held without need would keep
 * the page out of Firefox's back/forward cache, whatever happens in `pagehide`.
 *
 * An owner whose lock was given back is never locked again by the store that made it: others may
 * have taken it over.
 */
export class TabLocks {
  readonly #prefix: string;
  readonly #held = new Map<string, { release: Release; isHeld: Promise<boolean> }>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @throws if the runtime has no Web Locks. */
  check(): void {
    if (globalThis.navigator?.locks !== undefined) return;
    throw new Error(
      "There are no Web Locks here, without which tabs would send each other's batches: serve the page over HTTPS, or from localhost",
    );
  }

  /** Runs `task` while no other store does. */
  exclusively<T>(task: () => Promise<T>): Promise<T> {
    return navigator.locks.request(`${this.#prefix}:open`, task) as Promise<T>;
  }

  /** Resolves once the lock of an owner is held, or given back before it was. */
  async hold(owner: string): Promise<void> {
    await this.#request(owner, false);
  }

  /** Takes another owner's lock, if nobody has it. */
  takeOver(owner: string): Promise<boolean> {
    return this.#request(owner, true);
  }

  /** Gives back an owner's lock, and does not wait for it any longer. */
  release(owner: string): void {
    this.#held.get(owner)?.release();
    this.#held.delete(owner);
  }

  releaseAll(): void {
    for (const owner of [...this.#held.keys()]) this.release(owner);
  }

  #request(owner: string, ifAvailable: boolean): Promise<boolean> {
    const before = this.#held.get(owner);
    if (before !== undefined) return before.isHeld;
    const waiting = new AbortController();
    let end: Release = () => {};
    const released = new Promise<void>((resolve) => {
      end = resolve;
    });
    const isHeld = new Promise<boolean>((resolve, reject) => {
      const hold = (lock: Lock | null) => {
        resolve(lock !== null);
        return lock === null ? undefined : released;
      };
      const options = ifAvailable ? { ifAvailable } : { signal: waiting.signal };
      navigator.locks
        .request(`${this.#prefix}:owner:${owner}`, options, hold)
        .catch((error) => (waiting.signal.aborted ? resolve(false) : reject(error)));
    });
    const release = () => {
      end();
      waiting.abort();
    };
    this.#held.set(owner, { release, isHeld });
    // One that could not be had is not given back later. The caller is told of a failure.
    const forget = () => this.#held.delete(owner);
    isHeld.then((isOurs) => isOurs || forget(), forget);
    return isHeld;
  }
}

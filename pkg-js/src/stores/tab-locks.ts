/**
 * By what stores in different tabs know that another lives: each has an owner id, and holds the lock
 * of that name while it lives.
 */
export class TabLocks {
  readonly #prefix: string;
  /** Gives back the locks that are held. */
  #release: (() => void) | undefined;
  #released: Promise<void> = Promise.resolve();
  #settled: Promise<void> = Promise.resolve();
  #owner = "";

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The id of this store; another one after its page was in the back/forward cache. */
  get owner(): string {
    return this.#owner;
  }

  /**
   * Takes a new owner's lock.
   *
   * @throws if the runtime has no Web Locks.
   */
  async open(): Promise<void> {
    if (globalThis.navigator?.locks === undefined) {
      throw new Error(
        "There are no Web Locks here, without which tabs would send each other's batches: serve the page over HTTPS, or from localhost",
      );
    }
    globalThis.addEventListener?.("pagehide", this.#suspend);
    globalThis.addEventListener?.("pageshow", this.#resume);
    await this.#begin();
  }

  /** Resolves once the owner's lock is held. */
  settled(): Promise<void> {
    return this.#settled;
  }

  /** Runs `task` while no other store does. */
  alone<T>(task: () => Promise<T>): Promise<T> {
    return navigator.locks.request(`${this.#prefix}:open`, task) as Promise<T>;
  }

  /** Takes another owner's lock, if that owner has ended. */
  takeOver(owner: string): Promise<boolean> {
    return this.#hold(owner, { ifAvailable: true });
  }

  /** Gives back all locks. */
  close(): void {
    globalThis.removeEventListener?.("pagehide", this.#suspend);
    globalThis.removeEventListener?.("pageshow", this.#resume);
    this.#release?.();
  }

  // A page that holds a lock is kept out of the back/forward cache.
  readonly #suspend = () => this.#release?.();

  readonly #resume = (event: Event) => {
    // Somebody else may hold the old owner's lock by now.
    if (!(event as PageTransitionEvent).persisted) return;
    this.#settled = this.#begin();
    // It is told to whoever waits for it.
    this.#settled.catch(() => {});
  };

  async #begin(): Promise<void> {
    const random = crypto.getRandomValues(new Uint8Array(16));
    this.#owner = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
    await this.#hold(this.#owner, {});
  }

  /** Resolves once the lock is held, or known to be another's. It is held until the release. */
  #hold(owner: string, options: LockOptions): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const hold = (lock: Lock | null) => {
        resolve(lock !== null);
        return lock === null ? undefined : this.#released;
      };
      navigator.locks.request(`${this.#prefix}:owner:${owner}`, options, hold).catch(reject);
    });
  }
}

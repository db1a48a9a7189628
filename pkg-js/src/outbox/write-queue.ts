import { elapsed } from "../internal.js";

/** A write that waits for its turn. */
interface Write {
  /** Writes. Returns whether the store has it then. */
  readonly run: () => Promise<boolean>;
  readonly done: Promise<unknown>;
  readonly resolve: (result: unknown) => void;
}

/**
 * The number of writes that run at a time. A bus with small batches may have thousands of them, and
 * a process may open only so many files; and the time limit of a write should be that of its own
 * work, not of its wait for others.
 */
const AT_ONCE = 32;

/** Begins writes in order, so many at a time. */
export class WriteQueue<Key> {
  readonly #timeoutMs: number;
  readonly #waiting = new Map<Key, Write>();
  #running = 0;

  /** `timeoutMs` is the time limit of a write, in milliseconds. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves once the write has ended, or will not begin because the store does not answer. A key
   * that waits already is not added again.
   */
  add(key: Key, run: Write["run"]): Promise<unknown> {
    const known = this.#waiting.get(key);
    if (known !== undefined) return known.done;
    let resolve: Write["resolve"] = () => {};
    const done = new Promise<unknown>((settle) => {
      resolve = settle;
    });
    this.#waiting.set(key, { run, resolve, done });
    this.#begin();
    return done;
  }

  #begin(): void {
    for (const [key, write] of this.#waiting) {
      if (this.#running >= AT_ONCE) return;
      this.#waiting.delete(key);
      void this.#run(write);
    }
  }

  async #run({ run, resolve }: Write): Promise<void> {
    this.#running++;
    const end = elapsed() + this.#timeoutMs;
    const work = run();
    resolve(work);
    const isWritten = await work.catch(() => false);
    // If it did not answer, each of the others would take as long.
    if (!isWritten && elapsed() >= end) this.#drop();
    this.#running--;
    this.#begin();
  }

  #drop(): void {
    for (const { resolve } of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
  }
}

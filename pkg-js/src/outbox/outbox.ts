import type { CoreBatch } from "../batch.js";
import type { CoreBus } from "../core/core-bus.js";
import type { BatchHead } from "../core/layout.js";
import type { RunInContext } from "../delivery/async-context.js";
import {
  createOutbox,
  DeadlineTimer,
  elapsed,
  idStem,
  ignorePoisonedAsync,
  isBytes,
  messageOf,
  RestoreRefusal,
  type StoreError,
  type StoreOperation,
  show,
} from "../internal.js";
import type { StoreStats } from "../stats.js";
import type { BatchStore } from "./batch-store.js";
import { storeErrorReporter } from "./store-errors.js";
import { WriteQueue } from "./write-queue.js";

/** A batch that the store has, or may have. */
interface StoredBatch {
  readonly key: string;
  /** Of the batch that it is a copy of, from the first event on. */
  readonly head: BatchHead;
  /** The number of its events that are neither settled nor in a later copy. */
  left: number;
  isWritten: boolean;
  /** The write that is under way. */
  writing?: Promise<void> | undefined;
  /** The copy that this one takes the place of, once it is written. */
  replaces?: StoredBatch | undefined;
  /** The number of its replacements that are not written. */
  replacements: number;
  /** True if it is not to be removed, because it could not be read. */
  isKept?: boolean;
}

/** A copy of a batch, on its way into the store. */
export interface BatchCopy {
  readonly stored: StoredBatch;
  readonly bytes: Uint8Array;
}

/** A batch that left the bus. */
type Settled = Pick<CoreBatch<unknown>, "id" | "sequence" | "count">;

/** The services of the bus that the outbox uses. */
export interface OutboxHost {
  /** The limit of one operation of the store, in milliseconds. */
  readonly timeoutMs: number;
  /** Something changed that the scheduler should look at. */
  schedule(): void;
  /** The store has found more batches of earlier runs. */
  onFound(): void;
  /** The user's handler of errors. */
  readonly onStoreError: ((error: StoreError) => void) | undefined;
  /** Makes an error of the bus's own copy of this package: a store may bring another. */
  makeError(...args: ConstructorParameters<typeof StoreError>): StoreError;
  /** Calls the user's functions. */
  readonly run: RunInContext;
  /** The batch that the core handed out last. */
  lastBatch(): BatchHead;
  /** Takes out the oldest stored batch, if the store has more than it may. */
  evictStored(): BatchHead | undefined;
  /** The bus's clock. */
  now(): number;
}

/**
 * Gives a store its outbox: the bus's record of the store's batches, and the operations on them.
 */
export function withOutbox<S extends BatchStore>(store: S): S {
  const create = (core: CoreBus, host: OutboxHost) => new Outbox(core, store, host);
  // Set anew, as a store may be given one twice.
  return Object.defineProperty(store, createOutbox, { configurable: true, value: create });
}

/**
 * Keeps a copy of each batch in a store from its first attempt until it is settled, and restores
 * the batches of earlier runs. A failed operation is reported, and delays nothing beyond its time
 * limit: batches in memory are still sent.
 */
export class Outbox {
  readonly #core: CoreBus;
  readonly #store: BatchStore;
  readonly #host: OutboxHost;
  readonly #reportError: (error: StoreError) => void;
  /** By run and shard: `<runId>-<shard>`. */
  readonly #stored = new Map<string, StoredBatch[]>();
  /** Writes that no attempt waits for. */
  readonly #queue: WriteQueue<StoredBatch>;
  /** The one of each id that is found first. */
  readonly #byId = new Map<string, StoredBatch>();
  /** The running writes of {@linkcode writeAllLater}. */
  readonly #writing = new Set<StoredBatch>();
  /** Running operations that nobody awaits. */
  readonly #running = new Set<Promise<unknown>>();
  #opening: Promise<string[]> | undefined;
  /** Keys of earlier runs' batches that were not read yet, oldest first. */
  #left: string[] | undefined;
  /** True if the store could not be opened, or not yet in its time. */
  #isBroken = false;
  #isStopped = false;
  #errors = 0;
  #setAside = 0;

  constructor(core: CoreBus, store: BatchStore, host: OutboxHost) {
    this.#core = core;
    this.#store = store;
    this.#host = host;
    this.#queue = new WriteQueue(host.timeoutMs);
    this.#reportError = storeErrorReporter(host.onStoreError);
  }

  stats(): StoreStats {
    const batches = [...this.#stored.values()].flat();
    return {
      batches: batches.filter(({ isWritten }) => isWritten).length,
      waiting: this.#left?.length ?? 0,
      errors: this.#errors,
      setAside: this.#setAside,
    };
  }

  /**
   * Brings back the next batch of an earlier run, if the core takes one now. Several requests of a
   * Worker may be at it, and each may end at any moment, so nothing is certain after an `await`.
   */
  async restore(): Promise<void> {
    while (this.wantsRestored) {
      if (this.#left === undefined) {
        await this.#open();
        continue;
      }
      const [key] = this.#left;
      if (key === undefined) {
        this.#core.endRestore();
        this.#host.schedule();
        return;
      }
      const bytes = await this.#try("read", key, () => this.#read(key));
      if (this.#left[0] !== key || !this.wantsRestored) continue;
      this.#left.shift();
      if (bytes !== undefined) this.#takeIn(key, bytes);
    }
  }

  async #open(): Promise<void> {
    const keys = await this.#try("open", undefined, async () => {
      this.#opening ??= this.#store.open((found) => this.#onFound(found));
      const found = [...(await this.#opening)].sort();
      // `writeAllSync` may have been there before: its batches are not of an earlier run.
      const own = new Set([...this.#stored.values()].flat().map(({ key }) => key));
      const earlier = found.filter((key) => !own.has(key));
      if (this.#isBroken) {
        // It opened after its time limit, and can be used from now on.
        this.#isBroken = false;
        this.#onFound(earlier);
      }
      return earlier;
    });
    this.#left ??= keys ?? [];
  }

  /** A run has ended since the store was opened. */
  #onFound(keys: readonly string[]): void {
    if (this.#isStopped) return;
    if (this.#left === undefined) {
      // Else `#open` would leave out the keys that `open` returns.
      const opened = Promise.resolve().then(() => this.#open());
      this.#later(opened.then(() => this.#onFound(keys)));
      return;
    }
    this.#left = [...this.#left, ...keys].sort();
    this.#core.beginRestore();
    this.#host.onFound();
  }

  /** A user's store may return any value. */
  async #read(key: string): Promise<Uint8Array | undefined> {
    const bytes: unknown = await this.#store.read(key);
    if (bytes === undefined || isBytes(bytes)) return bytes;
    throw new TypeError(`\`read\` returned ${show(bytes)}, but it must return a Uint8Array`);
  }

  /** Tells whether the core takes a batch of an earlier run now, if there is one. */
  get wantsRestored(): boolean {
    return !this.#isStopped && this.#core.wantsRestored();
  }

  /**
   * Reads a batch that only the store has, because it is its turn to be sent; calls `done` when it is
   * in the core, or cannot be.
   */
  loadLater(head: BatchHead, done: () => void): void {
    this.#later(this.#load(head).finally(done));
  }

  async #load(head: BatchHead): Promise<void> {
    const { id, nonce, shard, sequence } = head;
    const stored = this.#find(id, sequence);
    let isGone = stored === undefined;
    const read = async (key: string) => {
      const bytes = await this.#read(key);
      isGone = bytes === undefined;
      return bytes;
    };
    const bytes = stored && (await this.#try("read", stored.key, () => read(stored.key)));
    const refusal = bytes && this.#core.load(bytes);
    if (refusal === 0 || refusal === RestoreRefusal.NotNow) return;
    if (stored && refusal) this.#refuse(stored.key, refusal);
    const isHopeless = isGone || refusal === RestoreRefusal.Damaged;
    if (!this.#core.noteUnreadable(...nonce, shard, sequence, isHopeless)) return;
    if (isGone) this.#report("read", stored?.key, "it is gone, so its events are lost");
    // It is set aside, or left for the next run. Other parts of it may still be in the bus.
    if (stored) stored.isKept = true;
    this.settle(head);
  }

  /** Leaves batches that were not restored in the store, for the next run. */
  stop(): void {
    this.#isStopped = true;
    this.#core.endRestore();
  }

  #takeIn(key: string, bytes: Uint8Array): void {
    const refusal = this.#core.restore(bytes);
    if (refusal !== 0) {
      this.#refuse(key, refusal);
      return;
    }
    const head = this.#host.lastBatch();
    const stored = { key, head, left: head.count, isWritten: true, replacements: 0 };
    this.#of(head.id).push(stored);
    if (!this.#byId.has(head.id)) this.#byId.set(head.id, stored);
    this.#core.forget();
    this.#host.schedule();
  }

  /** Reports a batch that the core does not take; one that is damaged is set aside. */
  #refuse(key: string, refusal: number): void {
    const why = whyItStays(refusal);
    if (why !== undefined) {
      this.#report("read", key, `${why}, so it stays there`);
      return;
    }
    this.#report("read", key, "it is damaged; it is set aside");
    this.#setAside++;
    const setAside = async () => this.#store.setAside?.(key);
    this.#later(this.#try("set-aside", key, setAside));
  }

  /**
   * The batch that the core handed out last, to be written; nothing if the store has it, or it is to
   * be skipped.
   */
  copy(head: BatchHead, skipped?: ReadonlySet<StoredBatch>): BatchCopy | undefined {
    if (this.#isBroken) return undefined;
    const stored = this.#storedOf(head);
    if (stored.isWritten || skipped?.has(stored)) return undefined;
    return { stored, bytes: this.#core.encode() };
  }

  /** The record of a batch's copy, be there one or not. */
  #storedOf(head: BatchHead): StoredBatch {
    const { id, sequence, count, firstTimestamp } = head;
    const key = `${String(firstTimestamp).padStart(20, "0")}-${id}`;
    const stored = { key, head, left: count, isWritten: false, replacements: 0 };
    const whole = this.#find(id, sequence);
    if (whole === undefined) return this.#track(stored);
    if (whole.head.sequence === sequence && whole.head.count === count) return whole;
    if (!whole.isWritten) {
      // From now on each half is for itself.
      whole.left = 0;
      this.#forget(whole);
      return this.#track(stored);
    }
    if (whole.left === whole.head.count) return whole;
    // The rest of it is settled, and must not come back with this part. That has a key of its own:
    // another part may have none but the whole.
    whole.left -= count;
    whole.replacements++;
    return this.#track({ ...stored, key: `${key}-${count}`, replaces: whole });
  }

  #track(stored: StoredBatch): StoredBatch {
    // The first, so that it is found before the copy that it replaces.
    this.#of(stored.head.id).unshift(stored);
    this.#byId.set(stored.head.id, stored);
    return stored;
  }

  /** Writes a batch. */
  async write({ stored, bytes }: BatchCopy): Promise<void> {
    if (this.#left === undefined) await this.#open();
    if (this.#isBroken) return;
    await this.#try("write", stored.key, () => {
      stored.writing ??= this.#write(stored, bytes);
      return stored.writing;
    });
    // One that takes too long does not keep others from trying.
    stored.writing = undefined;
  }

  async #write(stored: StoredBatch, bytes: Uint8Array): Promise<void> {
    checkCopy(bytes);
    await this.#store.write(stored.key, bytes);
    this.#noteWritten(stored);
  }

  /** {@linkcode write}, where nobody waits for it. */
  writeLater(copy: BatchCopy): void {
    this.#later(this.#writeInTurn(copy));
  }

  async #writeInTurn(copy: BatchCopy): Promise<void> {
    const { stored } = copy;
    await this.#queue.add(stored, async () => {
      if (isMissing(stored)) await this.write(copy);
      return stored.isWritten;
    });
  }

  #noteWritten(stored: StoredBatch): void {
    const { nonce, shard, sequence, count } = stored.head;
    stored.isWritten = true;
    this.#core.noteStored(...nonce, shard, sequence, count);
    for (;;) {
      const evicted = this.#host.evictStored();
      if (evicted === undefined) break;
      this.settle(evicted);
    }
    this.#letGoOfReplaced(stored);
    // There may be room again.
    this.#host.schedule();
  }

  /** A copy is written, or not needed any more. */
  #letGoOfReplaced(stored: StoredBatch): void {
    const { replaces } = stored;
    if (replaces === undefined) return;
    stored.replaces = undefined;
    replaces.replacements--;
    this.#later(this.#removeIfDone(replaces));
  }

  /**
   * Writes all pending batches. Returns the key of a batch that is still pending, and not in the
   * store; nothing if there is none.
   */
  async writeAll(): Promise<string | undefined> {
    const copies = this.#copyAll();
    await Promise.all(copies.map((copy) => this.#writeInTurn(copy)));
    return copies.find(({ stored }) => isMissing(stored))?.stored.key;
  }

  /** Resolves once every batch that is pending now is in the store, or has left the bus. */
  async persist(): Promise<void> {
    const missing = await this.writeAll();
    const told = "`onStoreError` was told why";
    if (missing !== undefined) {
      const message = `The store did not take \`${missing}\`; ${told}`;
      throw this.#host.makeError(message, { operation: "write", key: missing });
    }
    if (this.#isBroken) {
      throw this.#host.makeError(`The store could not be opened; ${told}`, { operation: "open" });
    }
  }

  /**
   * {@linkcode writeAll}, where nobody waits for it, and it may be called again meanwhile. It
   * writes at once where the store can, and begins all other writes: the page may be about to go.
   *
   * @param last batches to write last, because they are in flight already.
   */
  writeAllLater(last: readonly Settled[]): void {
    const copies = this.#copyAll(this.#writing);
    const late = new Set(last.map(({ id, sequence }) => this.#find(id, sequence)));
    copies.sort((a, b) => Number(late.has(a.stored)) - Number(late.has(b.stored)));
    for (const copy of copies) {
      if (this.#writeSync(copy)) continue;
      this.#writing.add(copy.stored);
      this.#later(this.write(copy).finally(() => this.#writing.delete(copy.stored)));
    }
  }

  /** Writes all pending batches before it returns. Returns whether the store has them all. */
  writeAllSync(): boolean {
    if (this.#store.writeSync === undefined || this.#isBroken) return false;
    const written = this.#copyAll().map((copy) => this.#writeSync(copy));
    return written.every(Boolean);
  }

  /** Writes a batch before it returns. Returns whether it did; a store need not be able to. */
  #writeSync({ stored, bytes }: BatchCopy): boolean {
    const store = this.#store;
    if (store.writeSync === undefined) return false;
    try {
      checkCopy(bytes);
      this.#host.run(() => store.writeSync?.(stored.key, bytes));
      this.#noteWritten(stored);
    } catch (cause) {
      this.#report("write", stored.key, cause);
    }
    return stored.isWritten;
  }

  /** Copies of all pending batches, less those to skip. */
  #copyAll(skipped?: ReadonlySet<StoredBatch>): BatchCopy[] {
    const copies: BatchCopy[] = [];
    this.#core.stage(this.#host.now());
    while (this.#core.nextStaged()) {
      const copy = this.copy(this.#host.lastBatch(), skipped);
      if (copy !== undefined) copies.push(copy);
    }
    return copies;
  }

  /** Takes the stored batches out of the bus: the next run sends them. */
  release(): void {
    this.#core.recall();
    this.#core.stage(this.#host.now());
    while (this.#core.nextStaged()) {
      const { id, sequence } = this.#host.lastBatch();
      if (this.#find(id, sequence)?.isWritten) this.#core.release();
    }
  }

  /** A batch was delivered, given up or drained: the store need not keep it. */
  settle(batch: Settled): Promise<void> {
    const settled = this.#settle(batch);
    // The store is not closed before.
    this.#later(settled);
    return settled;
  }

  async #settle({ id, sequence, count }: Settled): Promise<void> {
    const stored = this.#find(id, sequence);
    if (stored === undefined) return;
    stored.left -= count;
    await this.#removeIfDone(stored);
  }

  /** Removes a copy once nothing of it is needed. */
  async #removeIfDone(stored: StoredBatch): Promise<void> {
    if (stored.left > 0 || stored.replacements > 0) return;
    // `writeAllSync` does not wait for the store to be open.
    if (this.#left === undefined && stored.isWritten) await this.#open();
    this.#forget(stored);
    if (this.#left !== undefined && !this.#isBroken && !stored.isKept) {
      await this.#try("remove", stored.key, async () => {
        // A write that ends later would bring it back.
        await stored.writing?.catch(() => {});
        await this.#store.remove(stored.key);
      });
    }
    this.#letGoOfReplaced(stored);
  }

  /** Waits for running operations, and lets go of the store. */
  async close(): Promise<void> {
    await this.#try("close", undefined, async () => {
      await Promise.all(this.#running);
      if (this.#opening !== undefined) await this.#store.close?.();
    });
  }

  /** The stored batches of the same shard and run. */
  #of(id: string): StoredBatch[] {
    const run = idStem(id);
    const stored = this.#stored.get(run) ?? [];
    this.#stored.set(run, stored);
    return stored;
  }

  /** The stored batch that covers another: after a split, the whole. */
  #find(id: string, sequence: number): StoredBatch | undefined {
    // There may be many after a long outage.
    const own = this.#byId.get(id);
    if (own !== undefined) return own;
    return this.#of(id).find(
      ({ head }) => head.sequence <= sequence && sequence < head.sequence + head.count,
    );
  }

  #forget(stored: StoredBatch): void {
    const all = this.#of(stored.head.id);
    const index = all.indexOf(stored);
    if (index >= 0) all.splice(index, 1);
    if (this.#byId.get(stored.head.id) === stored) this.#byId.delete(stored.head.id);
  }

  #later(task: Promise<void>): void {
    const running = ignorePoisonedAsync(task).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Runs an operation of the store, for no longer than it may take. Failures are reported. */
  async #try<R>(
    operation: StoreOperation,
    key: string | undefined,
    run: () => Promise<R>,
  ): Promise<R | undefined> {
    const { timeoutMs } = this.#host;
    const alarm = new DeadlineTimer(() => {
      timeUp(new Error(`It took longer than ${timeoutMs} ms (a quarter of \`timeoutMs\`)`));
    });
    let timeUp: (error: Error) => void = () => {};
    try {
      const late = new Promise<never>((_, reject) => {
        timeUp = reject;
      });
      alarm.setRef(true);
      alarm.schedule(elapsed() + timeoutMs);
      return await Promise.race([this.#host.run(run), late]);
    } catch (cause) {
      // Everybody who waits for the store to open hears of it; once is enough.
      const isToldAlready = operation === "open" && this.#isBroken;
      this.#isBroken ||= operation === "open";
      if (!isToldAlready) this.#report(operation, key, cause);
      return undefined;
    } finally {
      alarm.clear();
    }
  }

  #report(operation: StoreOperation, key: string | undefined, cause: unknown): void {
    const what = key === undefined ? "the store" : `\`${key}\` in the store`;
    const message = `Could not ${operation} ${what}: ${messageOf(cause)}`;
    const error = this.#host.makeError(message, { operation, ...(key && { key }), cause });
    this.#errors++;
    this.#host.run(this.#reportError, error);
  }
}

/** Tells whether the store lacks a batch that is still pending. */
const isMissing = ({ isWritten, left }: StoredBatch): boolean => !isWritten && left > 0;

/** Throws unless there was memory for the copy. */
function checkCopy(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new RangeError("There is no memory for a copy of it");
}

/** The reason why a batch stays in the store; none for one that is damaged. */
function whyItStays(refusal: number): string | undefined {
  switch (refusal) {
    case RestoreRefusal.NotNow:
      return "the bus does not take it now";
    case RestoreRefusal.TooLarge:
      return "its body is larger than `batch.maxBytes`";
    case RestoreRefusal.OtherFormat:
      return "another version of shardbus has written it";
    case RestoreRefusal.NoMemory:
      return "there is no memory for it now";
    default:
      return undefined;
  }
}

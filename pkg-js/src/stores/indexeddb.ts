import type { DBSchema, IDBPDatabase } from "idb";
import { InvalidOptionError, maxBytesOf, own } from "../internal.js";
import type { BatchStore } from "../outbox/batch-store.js";
import { withOutbox } from "../outbox/outbox.js";
import { deleteDB, openDB } from "./idb.js";
import { Spill } from "./spill.js";
import { TabLocks } from "./tab-locks.js";

/** The database of an {@linkcode indexedDbStore}. */
export interface IndexedDbStoreOptions {
  /**
   * The name of the database. Buses that send to different places need different names.
   * @default "shardbus"
   */
  readonly name?: string | undefined;
  /**
   * Most bytes that a bus may have in it. In an outage that memory is too small for, batches are in
   * the database alone; beyond this bound the oldest are evicted. Not less than the bus's
   * `maxBytes`. Batches that earlier runs have left are not counted.
   * @default 33554432 (32 MiB)
   */
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_BYTES = 32 << 20;

/**
 * Keeps batches in IndexedDB, for pages and web workers. Any number of tabs may use one name at a
 * time: a tab owns its batches while it lives, and the first tab that opens a store after its end
 * sends the remaining ones. A page that comes back from the back/forward cache may find that
 * another tab has sent its batches too, with the same ids.
 *
 * A page that goes writes to `localStorage`, as far as there is room: some browsers undo writes
 * that begin in IndexedDB by then.
 *
 * It needs the Web Locks API, by which tabs know of each other. Browsers have it since 2022, but
 * only on secure pages: over HTTPS, or from localhost. `open()` rejects where it is missing, and in
 * a runtime without IndexedDB, such as a server that renders the page. Other errors are IndexedDB's,
 * such as a `QuotaExceededError`.
 *
 * Batches that cannot be read are moved to the object store `corrupt` of the same database.
 *
 * @example
 * ```ts
 * const bus = new EventBus(send, { store: indexedDbStore() });
 * ```
 * @throws {InvalidOptionError} if `name` is not a string, or `maxBytes` no number above 0.
 */
export function indexedDbStore(options: IndexedDbStoreOptions = {}): BatchStore {
  return withOutbox(new IndexedDbStore(nameOf(options), maxBytesOf(options, DEFAULT_MAX_BYTES)));
}

/**
 * Removes all batches that stores of this name have left on this origin: for when a user logs out
 * of a shared machine. Buses that are still open, in any tab, keep their pending events, so close
 * them first. Give each user a name of their own, such as `shardbus-${userId}`: then nobody's
 * events are sent in somebody else's session.
 *
 * @throws {InvalidOptionError} if `name` is not a string.
 */
export async function clearIndexedDbStore(options: IndexedDbStoreOptions = {}): Promise<void> {
  const name = nameOf(options);
  new Spill(name).clear();
  await deleteDB(name);
}

/** Under `[owner, key]`: an owner is a time in which a store has batches without a break. */
interface Schema extends DBSchema {
  batches: { key: [owner: string, key: string]; value: Uint8Array };
  corrupt: { key: [owner: string, key: string]; value: Uint8Array };
}

type Database = IDBPDatabase<Schema>;

class IndexedDbStore implements BatchStore {
  readonly maxBytes: number;
  readonly #name: string;
  readonly #locks: TabLocks;
  readonly #spill: Spill;
  #connection: Promise<Database> | undefined;
  /** The owner of the next batches; none while there is no batch. */
  #owner: string | undefined;
  /** The owners of batches, by key. */
  readonly #owners = new Map<string, string>();
  /** The number of batches of each owner. */
  readonly #counts = new Map<string, number>();
  /** For the next look for ended owners, while the store is open. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Set while the page is about to go, or in the back/forward cache. */
  #isSuspended = false;

  constructor(name: string, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#name = name;
    this.#locks = new TabLocks(`shardbus:${name}`);
    this.#spill = new Spill(name);
  }

  async open(found?: (keys: string[]) => void): Promise<string[]> {
    if (typeof indexedDB === "undefined") {
      throw new Error("There is no IndexedDB here: open a bus with this store in a browser only");
    }
    this.#locks.check();
    // Before the listeners that write as the page goes.
    globalThis.addEventListener?.("pagehide", this.#suspend, { capture: true });
    globalThis.addEventListener?.("pageshow", this.#resume);
    try {
      // Nobody else looks meanwhile: each batch goes to one tab.
      const keys = await this.#locks.exclusively(() => this.#adopt());
      if (found !== undefined) this.#lookLater(found, FIRST_LOOK_MS);
      return keys;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Looks again and again for batches of tabs that have ended meanwhile. */
  #lookLater(found: (keys: string[]) => void, ms: number): void {
    this.#timer = setTimeout(async () => {
      try {
        const keys = this.#isSuspended ? [] : await this.#locks.exclusively(() => this.#adopt());
        const fresh = keys.filter((key) => !key.startsWith(OTHER_FORMAT));
        if (fresh.length > 0 && this.#timer !== undefined) found(fresh);
      } catch {
        // The next write will report a fault of the database.
      }
      if (this.#timer !== undefined) this.#lookLater(found, Math.min(2 * ms, MAX_LOOK_MS));
    }, ms);
  }

  /** Takes over the batches of owners that nobody has. */
  async #adopt(): Promise<string[]> {
    const { places, otherFormats } = this.#spill.list();
    const all = await this.#use((database) => database.getAllKeys("batches"));
    const found = new Set<string>();
    const isFree = new Map<string, boolean>();
    for (const [owner, key] of [...all, ...places]) {
      // A batch that was written before this store was open.
      if (this.#owners.has(key) && !found.has(key)) continue;
      if (!isFree.has(owner)) isFree.set(owner, await this.#locks.takeOver(owner));
      if (!isFree.get(owner)) continue;
      this.#put(key, owner);
      found.add(key);
    }
    return [...found, ...otherFormats.map((format) => OTHER_FORMAT + format)];
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    if (key.startsWith(OTHER_FORMAT)) {
      throw new Error(
        "What another version of shardbus has written to localStorage is left there for a page that has that version",
      );
    }
    const place = this.#placeOf(key);
    if (place === undefined) return undefined;
    const bytes =
      this.#spill.read(place) ?? (await this.#use((database) => database.get("batches", place)));
    // Another tab has sent it.
    if (bytes === undefined) this.#disown(key);
    return bytes;
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const place = this.#own(key);
    // A view is stored along with all that it is a view of.
    const copy = bytes.slice();
    if (!this.#isSuspended) await this.#locks.hold(place[0]);
    await this.#use(async (database) => {
      // Unless it is told to, a browser does not wait for the disk.
      const transaction = database.transaction("batches", "readwrite", { durability: "strict" });
      const put = transaction.store.put(copy, place);
      // A page that unloads may end before this event, and open transactions are undone.
      transaction.commit();
      await Promise.all([put, transaction.done]);
    });
  }

  writeSync(key: string, bytes: Uint8Array): void {
    const place = this.#own(key);
    this.#spill.write(place, bytes);
    if (this.#isSuspended) return;
    // The page may stay. Until it has the lock, another tab may send the batch too.
    this.#locks.hold(place[0]).catch(() => {});
  }

  /** Need not reach the disk: should a batch come back, it is sent once more with its old id. */
  async remove(key: string): Promise<void> {
    const place = this.#placeOf(key);
    if (place === undefined) return;
    this.#spill.remove(place);
    await this.#use((database) => database.delete("batches", place));
    this.#disown(key);
  }

  async setAside(key: string): Promise<void> {
    const place = this.#placeOf(key);
    if (place === undefined) return;
    const spilled = this.#spill.read(place);
    await this.#use(async (database) => {
      const transaction = database.transaction(["batches", "corrupt"], "readwrite");
      const bytes = spilled ?? (await transaction.objectStore("batches").get(place));
      if (bytes !== undefined) await transaction.objectStore("corrupt").put(bytes, place);
      await Promise.all([transaction.objectStore("batches").delete(place), transaction.done]);
    });
    this.#spill.remove(place);
    this.#disown(key);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    globalThis.removeEventListener?.("pagehide", this.#suspend, { capture: true });
    globalThis.removeEventListener?.("pageshow", this.#resume);
    const connection = this.#connection;
    this.#connection = undefined;
    this.#owner = undefined;
    this.#owners.clear();
    this.#counts.clear();
    this.#locks.releaseAll();
    await connection?.then(
      (database) => database.close(),
      () => {},
    );
  }

  // A page in the back/forward cache may never come back: others may take over its batches.
  readonly #suspend = () => {
    this.#isSuspended = true;
    this.#locks.releaseAll();
    this.#owner = undefined;
  };

  readonly #resume = () => {
    if (!this.#isSuspended) return;
    this.#isSuspended = false;
    // Batches written meanwhile are not locked.
    this.#owner = undefined;
  };

  #placeOf(key: string): [owner: string, key: string] | undefined {
    const owner = this.#owners.get(key);
    return owner === undefined ? undefined : [owner, key];
  }

  /** The place to write a batch to. */
  #own(key: string): [owner: string, key: string] {
    const place = this.#placeOf(key);
    if (place !== undefined) return place;
    this.#owner ??= newOwner();
    this.#put(key, this.#owner);
    return [this.#owner, key];
  }

  #put(key: string, owner: string): void {
    if (this.#owners.has(key)) return;
    this.#owners.set(key, owner);
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + 1);
  }

  /** A batch is there no longer. With an owner's last, its lock is given back. */
  #disown(key: string): void {
    const owner = this.#owners.get(key);
    if (owner === undefined) return;
    this.#owners.delete(key);
    const left = (this.#counts.get(owner) ?? 0) - 1;
    if (left > 0) {
      this.#counts.set(owner, left);
      return;
    }
    this.#counts.delete(owner);
    this.#locks.release(owner);
    if (owner === this.#owner) this.#owner = undefined;
  }

  /** Lets `task` use the database. If that was closed behind our back, it is opened once more. */
  async #use<T>(task: (database: Database) => Promise<T>): Promise<T> {
    const connection = this.#connect();
    try {
      return await task(await connection);
    } catch (error) {
      if (!isClosed(error)) throw error;
      this.#forget(connection);
      return task(await this.#connect());
    }
  }

  #connect(): Promise<Database> {
    if (this.#connection !== undefined) return this.#connection;
    const connection = openDB<Schema>(this.#name, 1, {
      upgrade(database) {
        database.createObjectStore("batches");
        database.createObjectStore("corrupt");
      },
      // Somebody is deleting the database, and waits for us.
      blocking: () => {
        this.#forget(connection);
        void connection.then((database) => database.close());
      },
      terminated: () => this.#forget(connection),
    });
    this.#connection = connection;
    // The next call may have more luck.
    connection.catch(() => this.#forget(connection));
    return connection;
  }

  #forget(connection: Promise<Database>): void {
    if (this.#connection === connection) this.#connection = undefined;
  }
}

/** The times at which an open store looks for ended owners: at first soon, later seldom. */
const FIRST_LOOK_MS = 250;
const MAX_LOOK_MS = 10_000;

/** The beginning of the keys of batches that another version wrote, which this one cannot read. */
const OTHER_FORMAT = "localstorage-";

function newOwner(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The error of a closed connection. */
const isClosed = (error: unknown): boolean => (error as Error).name === "InvalidStateError";

function nameOf(options: unknown): string {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionError(
      "options",
      `\`options\` is ${String(options)}, but it must be an object`,
    );
  }
  for (const option of Object.keys(options)) {
    if (option === "name" || option === "maxBytes") continue;
    throw new InvalidOptionError(
      option,
      `\`${option}\` is not an option; there are name and maxBytes`,
    );
  }
  const name = own(options as IndexedDbStoreOptions, "name") ?? "shardbus";
  if (typeof name === "string") return name;
  throw new InvalidOptionError("name", `\`name\` is ${String(name)}, but it must be a string`);
}

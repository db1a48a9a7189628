import type { DBSchema, IDBPDatabase } from "idb";
import { InvalidOptionError } from "../shared.js";
import type { BatchStore } from "../store.js";
import { openDB } from "./idb.js";
import { TabLocks } from "./tab-locks.js";

/** Where an {@linkcode indexedDbStore} keeps its batches. */
export interface IndexedDbStoreOptions {
  /**
   * The name of the database. Buses that send to different places need different names.
   * @default "shardbus"
   */
  readonly name?: string;
}

/**
 * Keeps batches in IndexedDB, for pages and web workers. Any number of tabs may use one name at a
 * time: what a tab has written is its own while it lives, and the first tab that opens a store after
 * its end sends what it has left. A page that comes back from the back/forward cache may find that
 * another tab has sent its batches too, with the same ids.
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
 * @throws {InvalidOptionError} if `name` is not a string.
 */
export function indexedDbStore(options: IndexedDbStoreOptions = {}): BatchStore {
  return new IndexedDbStore(nameOf(options));
}

/** Under `[owner, key]`: an owner is one life of one store. */
interface Schema extends DBSchema {
  batches: { key: [owner: string, key: string]; value: Uint8Array };
  corrupt: { key: [owner: string, key: string]; value: Uint8Array };
}

type Database = IDBPDatabase<Schema>;

class IndexedDbStore implements BatchStore {
  readonly #name: string;
  readonly #locks: TabLocks;
  #connection: Promise<Database> | undefined;
  /** Whose the batches are that this store has not written under its present owner. */
  readonly #owners = new Map<string, string>();

  constructor(name: string) {
    this.#name = name;
    this.#locks = new TabLocks(`shardbus:${name}`);
  }

  async open(): Promise<string[]> {
    if (typeof indexedDB === "undefined") {
      throw new Error("There is no IndexedDB here: open a bus with this store in a browser only");
    }
    await this.#locks.open();
    try {
      // Nobody else looks meanwhile: each batch goes to one tab.
      return await this.#locks.alone(() => this.#adopt());
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes over the batches of owners that have ended. */
  async #adopt(): Promise<string[]> {
    const all = await this.#use((database) => database.getAllKeys("batches"));
    const isFree = new Map<string, boolean>();
    for (const [owner, key] of all) {
      if (!isFree.has(owner)) isFree.set(owner, await this.#locks.takeOver(owner));
      if (isFree.get(owner)) this.#owners.set(key, owner);
    }
    return [...this.#owners.keys()];
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.#use((database) => database.get("batches", this.#place(key)));
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    await this.#locks.settled();
    const place = this.#place(key);
    this.#owners.set(key, place[0]);
    // A view is stored along with all that it is a view of.
    const copy = bytes.slice();
    await this.#use(async (database) => {
      // Unless it is told to, a browser does not wait for the disk.
      const transaction = database.transaction("batches", "readwrite", { durability: "strict" });
      const put = transaction.store.put(copy, place);
      // A page that goes may not live to hear of it, and what is open then is undone.
      transaction.commit();
      await Promise.all([put, transaction.done]);
    });
  }

  /** Need not reach the disk: should a batch come back, it is sent once more with its old id. */
  async remove(key: string): Promise<void> {
    await this.#use((database) => database.delete("batches", this.#place(key)));
    this.#owners.delete(key);
  }

  async setAside(key: string): Promise<void> {
    const place = this.#place(key);
    await this.#use(async (database) => {
      const transaction = database.transaction(["batches", "corrupt"], "readwrite");
      const bytes = await transaction.objectStore("batches").get(place);
      if (bytes !== undefined) await transaction.objectStore("corrupt").put(bytes, place);
      await Promise.all([transaction.objectStore("batches").delete(place), transaction.done]);
    });
    this.#owners.delete(key);
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#locks.close();
    await connection?.then(
      (database) => database.close(),
      () => {},
    );
  }

  #place(key: string): [owner: string, key: string] {
    return [this.#owners.get(key) ?? this.#locks.owner, key];
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

/** What using a connection that is closed throws. */
const isClosed = (error: unknown): boolean => (error as Error).name === "InvalidStateError";

function nameOf(options: unknown): string {
  if (typeof options !== "object" || options === null) {
    throw new InvalidOptionError(
      "options",
      `\`options\` is ${String(options)}, but it must be an object`,
    );
  }
  for (const option of Object.keys(options)) {
    if (option === "name") continue;
    throw new InvalidOptionError(option, `\`${option}\` is not an option; there is name`);
  }
  const { name = "shardbus" } = options as IndexedDbStoreOptions;
  if (typeof name === "string") return name;
  throw new InvalidOptionError("name", `\`name\` is ${String(name)}, but it must be a string`);
}

import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { InvalidOptionError, maxBytesOf, own } from "../internal.js";
import type { BatchStore } from "../outbox/batch-store.js";
import { withOutbox } from "../outbox/outbox.js";
import type { Url } from "../util/platform.js";
import { isMissing, readWhole, writeWhole, writeWholeSync } from "./fs/files.js";
import type { LifeLock } from "./fs/life-lock.js";
import {
  asideIn,
  batchIn,
  endedLife,
  Life,
  type Places,
  type Problems,
  removeEmpty,
} from "./fs/lives.js";

/** The directory of a {@linkcode fileStore}. */
export interface FileStoreOptions {
  /**
   * The directory, as a path or a `file:` URL. It is made if it is not there, for its owner alone.
   * Nothing else should be in it. Buses that send to different places need different directories.
   */
  readonly directory: string | Url;
  /**
   * Most bytes that a bus may have in it. In an outage that memory is too small for, batches are on
   * the disk alone; beyond this bound the oldest are evicted. Not less than the bus's `maxBytes`.
   * Batches that earlier runs have left are not counted.
   * @default 268435456 (256 MiB)
   */
  readonly maxBytes?: number | undefined;
}

const DEFAULT_MAX_BYTES = 256 << 20;

/**
 * Keeps batches as files, one each, for Node, Deno and Bun. A batch is written aside, synced to the
 * disk and renamed, so that after a crash it is there as a whole or not at all. One that cannot be
 * read is set aside as `<key>.corrupt`.
 *
 * Any number of processes and threads of a machine may use a directory at a time: a store's batches
 * are its own while it is open. Once it is not, for whatever reason, another store takes them over:
 * one that is opened later, or, within some seconds, one that is open. Across machines that share a
 * network file system, living stores are not seen, so that batches are sent more than once, with
 * the same ids.
 *
 * A batch may have 64 MiB. Errors are those of the file system, such as `ENOSPC`.
 *
 * @example
 * ```ts
 * const bus = new EventBus(send, { store: fileStore("/var/lib/my-app/outbox") });
 * ```
 * @throws {InvalidOptionError} if `directory` is neither a path nor a `file:` URL, or `maxBytes` no
 * number above 0.
 */
export function fileStore(options: FileStoreOptions | string | Url): BatchStore {
  return withOutbox(new FileStore(directoryOf(options), maxBytesOf(options, DEFAULT_MAX_BYTES)));
}

/** The times at which an open store looks for ended lives: at first soon, later seldom. */
const FIRST_LOOK_MS = 250;
const MAX_LOOK_MS = 10_000;

/**
 * The number of batches that are handed over at a time: a bus may read them before it sends new
 * events, and a neighbour may have planted any number of other files.
 */
const MAX_FOUND = 100;

/** Ends the lives of stores that are gone without having been closed, as after a hot reload. */
const abandoned = new FinalizationRegistry<LifeLock>((lock) => lock.release());

class FileStore implements BatchStore {
  readonly maxBytes: number;
  readonly #directory: string;
  #life: Life | undefined;
  /** The life that begins in place of one whose directory is gone. */
  #next: Promise<Life> | undefined;
  #isOpen = false;
  /** The directory of batches that were written before the store was open. */
  #early: string | undefined;
  /** The directories of batches outside this life's own, by key. */
  readonly #places: Places = new Map();
  readonly #problems: Problems = new Map();
  #found: ((keys: string[]) => void) | undefined;
  /** Names of problems that the bus was told of. */
  #toldProblems = new Set<string>();
  /** Keys of batches taken over that the bus is to be told of, the oldest first. */
  #untold: string[] = [];
  /** Keys that the bus was told of, and has not read. */
  #unread = new Set<string>();
  /** Set while there is more to tell or to look at soon. */
  #hasMore = false;
  #writes = 0;

  constructor(directory: string, maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#directory = directory;
  }

  async open(found?: (keys: string[]) => void): Promise<string[]> {
    if (this.#isOpen) {
      throw new Error(
        `This store for ${this.#directory} is open already: make one for each bus. They may have the same directory if they send to the same place`,
      );
    }
    this.#isOpen = true;
    try {
      this.#life = await Life.begin(this.#directory);
      abandoned.register(this, this.#life.lock, this);
      const keys = await this.#look();
      // A caller who cannot be told later gets the rest now.
      while (found === undefined && this.#hasMore) {
        this.#unread.clear();
        keys.push(...(await this.#look()));
      }
      this.#found = found;
      if (found !== undefined) lookLater(new WeakRef(this), FIRST_LOOK_MS);
      return keys;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Takes over the batches of ended lives. Returns the keys of the new ones, the oldest first. */
  async #look(): Promise<string[]> {
    // The bus has more to read than it was told of: new batches can wait.
    if (this.#unread.size > 0 && this.#untold.length > 0) return [];
    const places: Places = new Map();
    const isOwn = (path: string) => path === this.#early;
    const hasMoreLives = (await this.#life?.takeOver(isOwn, places, this.#problems)) ?? false;
    for (const [key, directory] of places) this.#places.set(key, directory);
    // Reading such a batch says why it cannot be used.
    const problems = [...this.#problems.keys()].filter((name) => !this.#toldProblems.has(name));
    for (const name of problems) this.#toldProblems.add(name);
    this.#untold = [...this.#untold, ...places.keys(), ...problems].sort();
    const keys = this.#unread.size > 0 ? [] : this.#untold.splice(0, MAX_FOUND);
    for (const key of keys) this.#unread.add(key);
    this.#hasMore = hasMoreLives || this.#untold.length > 0;
    return keys;
  }

  /** Looks once more; returns when to look again, if the last time was `ms` after the one before. */
  async lookAgain(ms: number): Promise<number | undefined> {
    if (this.#life === undefined) return undefined;
    try {
      const keys = await this.#look();
      if (keys.length > 0) this.#found?.(keys);
    } catch {
      // The next write will report a fault of the directory.
    }
    if (this.#life === undefined) return undefined;
    return this.#hasMore ? FIRST_LOOK_MS : Math.min(2 * ms, MAX_LOOK_MS);
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#unread.delete(key);
    const problem = this.#problems.get(key);
    if (problem !== undefined) throw problem;
    const directory = this.#placeOf(key);
    return directory === undefined ? undefined : readWhole(batchIn(directory, key));
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const life = this.#life;
    try {
      await this.#write(key, bytes);
    } catch (error) {
      if (life === undefined || existsSync(life.directory)) throw error;
      await this.#beginAgain(life);
      await this.#write(key, bytes);
    }
  }

  async #write(key: string, bytes: Uint8Array): Promise<void> {
    const directory = this.#placeOf(key);
    if (directory === undefined) throw new Error("The store is not open");
    await writeWhole(batchIn(directory, key), this.#aside(directory, key), bytes);
  }

  /**
   * Goes on in a new life: the directory of this one was removed, or another store has taken it over,
   * as it may after the process stood still.
   */
  async #beginAgain(gone: Life): Promise<void> {
    if (this.#life !== gone) return;
    this.#next ??= Life.begin(this.#directory).finally(() => {
      this.#next = undefined;
    });
    const life = await this.#next;
    if (this.#life === gone) {
      gone.lock.release();
      abandoned.unregister(this);
      abandoned.register(this, life.lock, this);
      this.#life = life;
    } else if (this.#life !== life) await life.end();
  }

  writeSync(key: string, bytes: Uint8Array): void {
    let directory = this.#placeOf(key);
    if (
      directory === undefined ||
      (directory === this.#life?.directory && !existsSync(directory))
    ) {
      // The process may end before the store is open, or its directory is gone.
      directory = this.#early ??= endedLife(this.#directory);
      this.#places.set(key, directory);
    }
    writeWholeSync(batchIn(directory, key), this.#aside(directory, key), bytes);
  }

  /** Not synced: should a crash bring a batch back, it is sent once more with its old id. */
  async remove(key: string): Promise<void> {
    const directory = this.#placeOf(key);
    if (directory !== undefined) await rm(batchIn(directory, key), { force: true });
    this.#places.delete(key);
  }

  async setAside(key: string): Promise<void> {
    const directory = this.#placeOf(key);
    if (directory === undefined) return;
    try {
      await rename(batchIn(directory, key), join(this.#directory, `${key}.corrupt`));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    this.#places.delete(key);
  }

  async close(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    this.#isOpen = false;
    this.#found = undefined;
    abandoned.unregister(this);
    this.#places.clear();
    this.#untold = [];
    this.#unread.clear();
    if (this.#early !== undefined) await removeEmpty(this.#early);
    this.#early = undefined;
    await life?.end();
  }

  #placeOf(key: string): string | undefined {
    return this.#places.get(key) ?? this.#life?.directory;
  }

  #aside(directory: string, key: string): string {
    return asideIn(directory, key, this.#writes++);
  }
}

/** Has a store look again and again, unless it is closed or gone. Keeps no process alive. */
function lookLater(store: WeakRef<FileStore>, ms: number): void {
  const look = async () => {
    const next = await store.deref()?.lookAgain(ms);
    if (next !== undefined) lookLater(store, next);
  };
  setTimeout(look, ms).unref();
}

/** Made absolute, because the process may change its working directory later. */
function directoryOf(options: unknown): string {
  const isGroup = typeof options === "object" && options !== null && !(options instanceof URL);
  for (const name of isGroup ? Object.keys(options) : []) {
    if (name === "directory" || name === "maxBytes") continue;
    throw new InvalidOptionError(
      name,
      `\`${name}\` is not an option; there are directory and maxBytes`,
    );
  }
  const directory = isGroup ? own(options as FileStoreOptions, "directory") : options;
  if (typeof directory === "string" && directory !== "") return resolve(directory);
  if (directory instanceof URL && directory.protocol === "file:") return fileURLToPath(directory);
  const given = typeof directory === "string" ? JSON.stringify(directory) : String(directory);
  throw new InvalidOptionError(
    "directory",
    `\`directory\` is ${given}, but it must be a path or a \`file:\` URL`,
  );
}

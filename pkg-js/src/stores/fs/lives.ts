import { mkdirSync } from "node:fs";
import { lstat, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isMissing, syncDirectory, syncDirectorySync } from "./files.js";
import { isAlive, type LifeLock, lockLife, removeLock } from "./life-lock.js";

// The layout of a directory that any number of stores share. A change of it is another format.
//
//     v1-0123456789abcdef/        a life: of a store that is open, or was
//       lock                      says whether it goes on
//       <key>.batch
//       v1-fedcba9876543210/      a life that has ended, and whose batches this one sends
//         <key>.batch
//     <key>.corrupt               what could not be read
const FORMAT = 1;
const LIFE = /^v(\d+)-([0-9a-f]{16})$/;
const BATCH = /^([0-9a-z-]+)\.batch$/;
const ASIDE = /^[0-9a-z-]+\.tmp-\d+$/;

/** A life that begins: it has this name until it is locked. */
const BEGINNING = /^new-[0-9a-f]{16}$/;

/** The age at which a life that has only begun is given up: locking it takes a moment. */
const GIVEN_UP_MS = 60_000;

/**
 * The time for looking at lives in one go: a neighbour may have planted any number of them, and the
 * store is to be open soon.
 */
const LOOK_MS = 300;

/** The directory of a batch, by its key. */
export type Places = Map<string, string>;

/** The faults of entries that cannot be used, by name. */
export type Problems = Map<string, Error>;

/** A life of a store in a shared directory, from when it is locked until it ends. */
export class Life {
  readonly directory: string;
  readonly #parent: string;
  /** The lock, which others than this life can release too. */
  readonly lock: LifeLock;
  /** The last name that was looked at, if there may be more after it. */
  #lookedAt = "";

  private constructor(parent: string, directory: string, lock: LifeLock) {
    this.#parent = parent;
    this.directory = directory;
    this.lock = lock;
  }

  /** Begins a life. Others see it once it is locked, so that they do not take it for ended. */
  static async begin(parent: string): Promise<Life> {
    const made = await mkdir(parent, { recursive: true, mode: 0o700 });
    for (const directory of holdersOf(made, parent)) await syncDirectory(directory);
    const name = newName();
    const directory = join(parent, name);
    const beginning = join(parent, name.replace(/^v\d+/, "new"));
    await mkdir(beginning, { mode: 0o700 });
    const lock = await lockLife(beginning, name, directory);
    try {
      await rename(beginning, directory);
      await syncDirectory(parent);
    } catch (error) {
      lock.release();
      throw error;
    }
    return new Life(parent, directory, lock);
  }

  /**
   * Takes over the lives that have ended: each goes to one of those that want it.
   *
   * @param isOwn tells the directory of an ended life that is the store's own.
   * @param places gets the batches that were found.
   * @param problems gets the entries that cannot be taken over.
   * @returns whether there are others to look at, the next time.
   */
  async takeOver(
    isOwn: (directory: string) => boolean,
    places: Places,
    problems: Problems,
  ): Promise<boolean> {
    const entries = await readdir(this.#parent, { withFileTypes: true });
    const isMaybe = (name: string) => LIFE.test(name) || BEGINNING.test(name);
    const names = entries
      .filter((it) => it.isDirectory() && isMaybe(it.name))
      .map(({ name }) => name);
    // Sorted, so that the next look goes on after this one, however many there are.
    const left = names.sort().filter((name) => name > this.#lookedAt);
    const end = performance.now() + LOOK_MS;
    this.#lookedAt = "";
    for (const name of left) {
      if (performance.now() > end) return true;
      this.#lookedAt = name;
      const path = join(this.#parent, name);
      if (path === this.directory || isOwn(path)) continue;
      try {
        if (BEGINNING.test(name)) await clear(path);
        const version = LIFE.exec(name)?.[1];
        if (version === undefined) continue;
        if (version !== String(FORMAT)) {
          problems.set(name, new Error(`${path} ${OTHER_FORMAT}`));
        } else if (!(await isAlive(path, name))) {
          const taken = join(this.directory, name);
          await rename(path, taken);
          await this.#takeIn(taken, places);
          problems.delete(name);
        }
      } catch (error) {
        // Another one was faster, or it is not ours to use.
        if (!isMissing(error)) problems.set(name, error as Error);
      }
    }
    this.#lookedAt = "";
    return false;
  }

  /** Finds the batches of a life that are in this one's directory now. */
  async #takeIn(directory: string, places: Places): Promise<void> {
    await removeLock(directory);
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      const key = BATCH.exec(entry.name)?.[1];
      if (key !== undefined) {
        places.set(key, directory);
      } else if (ASIDE.test(entry.name)) {
        await rm(path, { force: true });
      } else if (entry.isDirectory() && LIFE.test(entry.name)) {
        // It had taken that over, and did not come to its end. No path grows with each death.
        const taken = join(this.directory, entry.name);
        await rename(path, taken);
        await this.#takeIn(taken, places);
      }
    }
    await removeEmpty(directory);
  }

  /** Ends it: others may take its batches. */
  async end(): Promise<void> {
    const entries = await readdir(this.directory, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries) {
      if (LIFE.test(name)) await removeEmpty(join(this.directory, name));
    }
    await removeLock(this.directory);
    this.lock.release();
    await removeEmpty(this.directory);
  }
}

/** The directory of a life that has ended already, for batches written before one has begun. */
export function endedLife(parent: string): string {
  const directory = join(parent, newName());
  const made = mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const holder of holdersOf(made, directory)) syncDirectorySync(holder);
  return directory;
}

/**
 * The directories to sync so that new ones are found after a crash: the parent of the first of
 * them, and so on down to the parent of the last.
 *
 * @param made the first that was made; nothing if all were there.
 */
function holdersOf(made: string | undefined, last: string): string[] {
  const holders: string[] = [];
  if (made === undefined) return holders;
  for (let directory = last; ; directory = dirname(directory)) {
    holders.unshift(dirname(directory));
    if (directory === made || directory === dirname(directory)) return holders;
  }
}

export const batchIn = (directory: string, key: string): string => join(directory, `${key}.batch`);

/** The path of a batch before it is whole. */
export const asideIn = (directory: string, key: string, count: number): string =>
  join(directory, `${key}.tmp-${count}`);

const OTHER_FORMAT =
  "was written by another version of shardbus: it is left there for a process that has that version";

function newName(): string {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(8)));
  return `v${FORMAT}-${random.toString("hex")}`;
}

/** Removes the directory of a life that was given up before it began. */
async function clear(directory: string): Promise<void> {
  const { mtimeMs } = await lstat(directory);
  if (Date.now() - mtimeMs < GIVEN_UP_MS) return;
  await removeLock(directory);
  await removeEmpty(directory);
}

/** Removes a directory, unless there is something in it. */
export async function removeEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => {});
}

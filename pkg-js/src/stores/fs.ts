import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InvalidOptionError } from "../shared.js";
import type { BatchStore } from "../store.js";
import { lockDirectory } from "./directory-lock.js";

/** Where a {@linkcode fileStore} keeps its files. */
export interface FileStoreOptions {
  /**
   * The directory, as a path or a `file:` URL. It is made if it is not there, for its owner alone.
   * Nothing else should be in it, and only one process at a time may use it.
   */
  readonly directory: string | URL;
}

const BATCH = /^([0-9a-z-]+)\.batch$/;
const ASIDE = /^[0-9a-z-]+\.tmp-[0-9a-f]+-\d+$/;

/**
 * Keeps batches as files, one each, for Node, Deno and Bun. A batch is written aside, synced to the
 * disk and renamed, so that after a crash it is there as a whole or not at all. One that cannot be
 * read is set aside as `<key>.corrupt`.
 *
 * A directory belongs to one process at a time: give each its own, also where processes cannot see
 * each other, as in containers that share a volume. A lock that a killed process has left is taken
 * over. `open()` rejects if the directory is in use, and says by whom; other errors are those of the
 * file system, such as `ENOSPC`.
 *
 * @example
 * ```ts
 * const bus = new EventBus(send, { store: fileStore("/var/lib/my-app/outbox") });
 * ```
 * @throws {InvalidOptionError} if `directory` is neither a path nor a `file:` URL.
 */
export function fileStore(options: FileStoreOptions | string | URL): BatchStore {
  return new FileStore(directoryOf(options));
}

class FileStore implements BatchStore {
  readonly #directory: string;
  #unlock: (() => void) | undefined;
  /** In the names of what is written aside: tells it from what earlier lives have left. */
  readonly #life = Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex");
  #writes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async open(): Promise<string[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#unlock = lockDirectory(this.#directory);
    try {
      const names = await readdir(this.#directory);
      const isLeft = (name: string) => ASIDE.test(name) && !name.includes(`.tmp-${this.#life}-`);
      const left = names.filter(isLeft).map((name) => join(this.#directory, name));
      await Promise.all(left.map((path) => rm(path)));
      return names.flatMap((name) => BATCH.exec(name)?.[1] ?? []);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    try {
      const { buffer, byteOffset, byteLength } = await readFile(this.#batch(key));
      return new Uint8Array(buffer, byteOffset, byteLength);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async write(key: string, bytes: Uint8Array): Promise<void> {
    const aside = this.#aside(key);
    try {
      const file = await open(aside, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, this.#batch(key));
    } catch (error) {
      // It takes up room that is perhaps just what is missing.
      await rm(aside, { force: true }).catch(() => {});
      throw error;
    }
    if (SYNCS_DIRECTORIES) {
      const directory = await open(this.#directory);
      await directory.sync().finally(() => directory.close());
    }
  }

  writeSync(key: string, bytes: Uint8Array): void {
    // The process may end before the store is open.
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const aside = this.#aside(key);
    try {
      const file = openSync(aside, "wx");
      try {
        writeFileSync(file, bytes);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(aside, this.#batch(key));
    } catch (error) {
      try {
        rmSync(aside, { force: true });
      } catch {
        // What went wrong first says more.
      }
      throw error;
    }
    if (SYNCS_DIRECTORIES) {
      const directory = openSync(this.#directory, "r");
      try {
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
    }
  }

  /** Not synced: should a crash bring a batch back, it is sent once more with its old id. */
  async remove(key: string): Promise<void> {
    await rm(this.#batch(key), { force: true });
  }

  async setAside(key: string): Promise<void> {
    try {
      await rename(this.#batch(key), join(this.#directory, `${key}.corrupt`));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async close(): Promise<void> {
    this.#unlock?.();
    this.#unlock = undefined;
  }

  #batch(key: string): string {
    return join(this.#directory, `${key}.batch`);
  }

  #aside(key: string): string {
    return join(this.#directory, `${key}.tmp-${this.#life}-${this.#writes++}`);
  }
}

/** Whether a rename has to be synced through its directory. Windows can do neither. */
const SYNCS_DIRECTORIES = process.platform !== "win32";

const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === "ENOENT";

/** Made absolute, because the process may change its working directory later. */
function directoryOf(options: unknown): string {
  const isGroup = typeof options === "object" && options !== null && !(options instanceof URL);
  for (const name of isGroup ? Object.keys(options) : []) {
    if (name === "directory") continue;
    throw new InvalidOptionError(name, `\`${name}\` is not an option; there is directory`);
  }
  const directory = isGroup ? (options as Partial<FileStoreOptions>).directory : options;
  if (typeof directory === "string" && directory !== "") return resolve(directory);
  if (directory instanceof URL && directory.protocol === "file:") return fileURLToPath(directory);
  const given = typeof directory === "string" ? JSON.stringify(directory) : String(directory);
  throw new InvalidOptionError(
    "directory",
    `\`directory\` is ${given}, but it must be a path or a \`file:\` URL`,
  );
}

import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";

/** The largest file that is read and written. A neighbour may have planted one without end. */
export const MAX_BYTES = 64 << 20;

// Windows does not have all of them, and needs none.
const { O_CREAT, O_EXCL, O_RDONLY, O_WRONLY } = constants;
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_SYNC = 0 } = constants as Partial<typeof constants>;

/**
 * Set if Node's permission model is on, which denies `fsync`. Then a file is opened so that each
 * write to it is synced.
 */
const IS_FSYNC_DENIED =
  (process as { permission?: unknown }).permission !== undefined && !("Deno" in globalThis);

const TO_WRITE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | (IS_FSYNC_DENIED ? O_SYNC : 0);

/** To write to a file that is there, so that also the name that it has now reaches the disk. */
const TO_SYNC = O_WRONLY | O_NOFOLLOW | O_SYNC;

/** Set if a rename has to be synced through its directory. Windows can do neither. */
const SYNCS_DIRECTORIES = process.platform !== "win32";

export const isMissing = (error: unknown): boolean =>
  (error as { code?: unknown }).code === "ENOENT";

/**
 * Reads a file as a whole; `undefined` if there is none.
 *
 * @throws if it is larger than `MAX_BYTES`, or no regular file: reading a pipe might never end, and
 * a link may lead anywhere.
 */
export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error(`${path} is not a regular file: it is left where it is`);
    checkSize(path, stats.size);
    const bytes = new Uint8Array(stats.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** Writes a file by way of `aside`, so that after a crash it is there as a whole or not at all. */
export async function writeWhole(path: string, aside: string, bytes: Uint8Array): Promise<void> {
  checkSize(path, bytes.length);
  try {
    const file = await open(aside, TO_WRITE, 0o600);
    try {
      await file.writeFile(bytes);
      if (!IS_FSYNC_DENIED) await file.sync();
    } finally {
      await file.close();
    }
    await rename(aside, path);
  } catch (error) {
    // It takes up room, perhaps the very room that is missing.
    await rm(aside, { force: true }).catch(() => {});
    throw error;
  }
  if (IS_FSYNC_DENIED) {
    const file = await open(path, TO_SYNC);
    await file.write(bytes.subarray(-1), 0, null, lastByte(bytes)).finally(() => file.close());
  } else {
    await syncDirectory(dirname(path));
  }
}

/** {@linkcode writeWhole}, before it returns. */
export function writeWholeSync(path: string, aside: string, bytes: Uint8Array): void {
  checkSize(path, bytes.length);
  try {
    const file = openSync(aside, TO_WRITE, 0o600);
    try {
      writeFileSync(file, bytes);
      if (!IS_FSYNC_DENIED) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    try {
      rmSync(aside, { force: true });
    } catch {
      // The first error says more.
    }
    throw error;
  }
  if (IS_FSYNC_DENIED) {
    const file = openSync(path, TO_SYNC);
    try {
      writeSync(file, bytes.subarray(-1), 0, null, lastByte(bytes));
    } finally {
      closeSync(file);
    }
  } else {
    syncDirectorySync(dirname(path));
  }
}

const lastByte = (bytes: Uint8Array): number => Math.max(bytes.length - 1, 0);

/** Has the names in a directory reach the disk, where that can be done. */
export async function syncDirectory(path: string): Promise<void> {
  if (!SYNCS_DIRECTORIES || IS_FSYNC_DENIED) return;
  const directory = await open(path);
  await directory.sync().finally(() => directory.close());
}

/** {@linkcode syncDirectory}, before it returns. */
export function syncDirectorySync(path: string): void {
  if (!SYNCS_DIRECTORIES || IS_FSYNC_DENIED) return;
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function checkSize(path: string, size: number): void {
  if (size <= MAX_BYTES) return;
  throw new Error(`${path} has ${size} bytes, but a batch may have at most ${MAX_BYTES}`);
}

import { readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const LOCK = /^process-(\d+)\.lock$/;

/** How to give back the directories that stores of this module have locked. */
const held = new Map<string, () => void>();

// A thread that ends has often not closed its stores, and its process lives on.
const unlockAll = () => {
  for (const unlock of held.values()) unlock();
};

/**
 * Makes a directory this process's own, or throws an error that says whose it is. Returns the
 * function that gives it back. Synchronous, so that nothing in this process comes in between.
 *
 * There is one lock file for each process, named after it: one that is left by a killed process can
 * be removed by whoever finds it, and never is somebody's who has just come. Each process makes its
 * own before it looks for others', so of two that come at once at least one sees the other.
 */
export function lockDirectory(directory: string): () => void {
  const path = realpathSync(directory);
  if (held.has(path)) throw inUse(path, "another store of this process");
  const unlock = lockByKernel(path) ?? lockByName(path);
  if (held.size === 0) process.once("exit", unlockAll);
  held.set(path, unlock);
  return () => {
    held.delete(path);
    if (held.size === 0) process.off("exit", unlockAll);
    unlock();
  };
}

function lockByName(directory: string): () => void {
  const own = join(directory, `process-${process.pid}.lock`);
  const birth = birthOf(process.pid);
  try {
    writeFileSync(own, birth, { flag: "wx" });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
    // Containers start with the same pid each time: it is ours only if it has our birth too.
    if (birth !== "" && readFileSync(own, "utf8") === birth) {
      throw inUse(
        directory,
        "another store of this process, in another thread or copy of shardbus",
      );
    }
    writeFileSync(own, birth);
  }
  const unlock = () => rmSync(own, { force: true });
  try {
    for (const name of readdirSync(directory)) {
      const pid = Number(LOCK.exec(name)?.[1] ?? process.pid);
      if (pid === process.pid) continue;
      const lock = join(directory, name);
      if (isHolder(pid, lock)) {
        throw inUse(directory, `the process with pid ${pid}`, lock);
      }
      rmSync(lock, { force: true });
    }
  } catch (error) {
    unlock();
    throw error;
  }
  return unlock;
}

/** Whether the process that made a lock still lives, as far as one can tell. */
function isHolder(pid: number, lock: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ESRCH") return false;
  }
  const birth = birthOf(pid);
  if (birth === ENDED) return false;
  try {
    const recorded = readFileSync(lock, "utf8");
    return birth === "" || recorded === "" || birth === recorded;
  } catch (error) {
    return (error as { code?: unknown }).code !== "ENOENT";
  }
}

/** The birth of a process that nobody has buried: it still has its pid. */
const ENDED = "ended";

/**
 * What tells a process from others that have its pid before or after it: when it started, in which
 * boot of the machine. Empty where that is not known, which is everywhere but on Linux.
 */
function birthOf(pid: number): string {
  // Deno would ask the user for permission.
  if (process.platform !== "linux" || "Deno" in globalThis) return "";
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything. After it come the fields from the third on.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? ENDED : `${boot} ${fields[22 - 3]}`;
  } catch {
    return "";
  }
}

interface DenoFile {
  tryLockSync?(exclusive: boolean): boolean;
  writeSync(bytes: Uint8Array): number;
  truncateSync(): void;
  close(): void;
}

interface DenoNamespace {
  openSync(path: string, options: { read: true; write: true; create: true }): DenoFile;
}

/**
 * In Deno, where looking at another process takes a permission that nobody wants to give: a lock
 * that ends with its process.
 */
function lockByKernel(directory: string): (() => void) | undefined {
  const { Deno } = globalThis as { Deno?: DenoNamespace };
  if (Deno === undefined) return undefined;
  const lock = join(directory, "process.lock");
  const file = Deno.openSync(lock, { read: true, write: true, create: true });
  if (file.tryLockSync === undefined) {
    file.close();
    return undefined;
  }
  if (!file.tryLockSync(true)) {
    file.close();
    throw inUse(directory, `the process with pid ${readFileSync(lock, "utf8")}`);
  }
  file.truncateSync();
  file.writeSync(new TextEncoder().encode(String(process.pid)));
  return () => file.close();
}

function inUse(directory: string, holder: string, lock?: string): Error {
  const otherwise =
    lock === undefined ? "" : `, or remove ${lock} if that is not a process of yours`;
  return new Error(
    `${directory} is in use by ${holder}: give each process a directory of its own, or wait for the other to end${otherwise}`,
  );
}

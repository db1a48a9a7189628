import { once } from "node:events";
import { lstat, lutimes, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { clearInterval, setInterval } from "node:timers";
import { isMissing } from "./files.js";

// Stores that share a directory know by a lock that another one's life goes on.
//
// Node cannot lock a file. But a socket that listens is gone when its process or its thread is,
// however that ended, and no later process can be taken for it, whatever its pid. It is also seen
// by containers that share nothing but the directory. Where none can be had, a lock is a file whose
// time its owner renews: on file systems without sockets, under paths that are too long for one, in
// Deno, which would ask for a permission, and in a Node that denies its program the network.
//
// Errors are bounded. A life is never begun again under its name, so one that was found to have
// ended stays ended. A life that seems to have ended and has not costs repetitions: others send its
// batches too, with the same ids, and its store begins another one at its next write. This happens
// between machines that share a network file system, and to a renewed file if its owner did not come
// to renew it for `SILENCE_MS`. A life that seems to go on and does not, which can last for
// `SILENCE_MS`, costs a delay.

/** The pause between two renewals of the time of a lock that is a file. */
const RENEWAL_MS = 5000;

/** The age of that time at which the life has ended. */
const SILENCE_MS = 20_000;

/** The longest path of a socket, in bytes: with the final zero, 104 on macOS, 108 on Linux. */
const MAX_SOCKET_PATH = 103;

const IS_WINDOWS = process.platform === "win32";

/** The lock's path within the directory of a life. */
const lockOf = (directory: string): string => join(directory, "lock");

/** Windows has named pipes instead, in a place of their own. */
const pipeOf = (life: string): string => `\\\\.\\pipe\\shardbus-${life}`;

/** The path of a life's socket; `undefined` where there can be none. */
function socketOf(directory: string, life: string): string | undefined {
  if ("Deno" in globalThis) return undefined;
  const path = IS_WINDOWS ? pipeOf(life) : lockOf(directory);
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH ? path : undefined;
}

/** A life's lock, for as long as it is held. It does not keep the process alive. */
export interface LifeLock {
  /** Gives it up. The file stays. */
  release(): void;
}

/**
 * Locks a life.
 *
 * @param directory where it is now. It may be renamed later.
 * @param life its name.
 * @param later where it is when it has been renamed.
 */
export async function lockLife(directory: string, life: string, later: string): Promise<LifeLock> {
  const server = await listen(socketOf(directory, life));
  if (server !== undefined) return { release: () => void server.close() };
  await writeFile(lockOf(directory), "", { flag: "wx", mode: 0o600 });
  const timer = setInterval(() => {
    // Should it fail for too long, others take the life for ended.
    lutimes(lockOf(later), new Date(), new Date()).catch(() => {});
  }, RENEWAL_MS);
  timer.unref();
  return { release: () => clearInterval(timer) };
}

/** Listens there, if that can be done here. */
async function listen(path: string | undefined): Promise<Server | undefined> {
  if (path === undefined) return undefined;
  try {
    const server = createServer((connection) => connection.destroy());
    // In a worker of a cluster, it would be the primary who listens.
    server.listen({ path, exclusive: true });
    server.unref();
    await once(server, "listening");
    // Connections of other stores that look for it may fail.
    server.on("error", () => {});
    return server;
  } catch {
    return undefined;
  }
}

/**
 * Tells whether a life goes on.
 *
 * @throws if one cannot tell.
 */
export async function isAlive(directory: string, life: string): Promise<boolean> {
  try {
    const lock = await lstat(lockOf(directory));
    if (lock.isFile()) return Math.abs(Date.now() - lock.mtimeMs) < SILENCE_MS;
    // It may be anything, if a neighbour has put it there.
    if (!lock.isSocket()) return false;
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (!IS_WINDOWS) return false;
  }
  const socket = socketOf(directory, life);
  if (socket === undefined) {
    throw new Error(
      `${directory} is locked by a socket, which this process cannot connect to: it is left to those that can`,
    );
  }
  return hasListener(socket);
}

/** The errors of connecting with no listener, and without the permission to know. */
const GONE = ["ECONNREFUSED", "ENOENT"];
const DENIED = ["EACCES", "EPERM", "ERR_ACCESS_DENIED"];

function hasListener(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: { code?: unknown }) => {
      const code = String(error.code);
      if (GONE.includes(code)) resolve(false);
      else if (DENIED.includes(code)) reject(error);
      // There is somebody, who hung up at once, or has to let others wait.
      else resolve(true);
    });
  });
}

/** Removes the lock of a life that has ended. */
export async function removeLock(directory: string): Promise<void> {
  await rm(lockOf(directory), { force: true });
}

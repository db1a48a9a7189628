// @ts-check

// Starts engines as processes of their own, on free ports of 127.0.0.1, so that they can be killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../js/harness.mjs";
import { freePort } from "../loopback.mjs";

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

const START_MS = 30_000;

// The signal by which `node --test` ends a file that takes too long; no server may outlive it.
process.once("SIGTERM", () => process.exit(1));

/** JetStream, which keeps its streams in files. */
export const startNats = () =>
  startServer("nats-server", (port, directory) => {
    return ["--addr", "127.0.0.1", "--port", `${port}`, "--jetstream", "--store_dir", directory];
  });

/** Redis that syncs to the disk before it acknowledges. @param {string[]} more */
export const startRedis = (...more) =>
  startServer("redis-server", (port, directory) => {
    const where = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", directory];
    return [...where, "--appendonly", "yes", "--appendfsync", "always", "--save", "", ...more];
  });

/** Moto, services of AWS in memory. `cargo xtask test` has its packages in `PYTHONPATH`. */
export const startMoto = () =>
  startServer("python3", (port) => ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`]);

/** The collector of `collector.mjs`. */
export const startCollector = () =>
  startServer(process.execPath, (port, directory) => {
    return [fileURLToPath(new URL("collector.mjs", import.meta.url)), `${port}`, directory];
  });

/**
 * Starts a server, and waits until it takes connections. Its files are in a directory of its own,
 * and stay there when it is killed.
 *
 * @param {string} program
 * @param {(port: number, directory: string) => string[]} args
 * @param {object} [options]
 * @param {{ uid?: number | undefined, gid?: number | undefined }} [options.owner] the user that it runs as
 * @param {NodeJS.Signals} [options.signal] kills it
 * @param {(directory: string) => Promise<void>} [options.prepare]
 */
export async function startServer(program, args, options = {}) {
  const { owner = {}, signal: name = "SIGKILL", prepare } = options;
  const directory = await mkdtemp(join(tmpdir(), "shardbus-sinks-"));
  if (owner.uid !== undefined) await chown(directory, owner.uid, Number(owner.gid));
  await prepare?.(directory);
  const port = await freePort();
  /** @type {import("node:child_process").ChildProcess} */
  let child;
  /** @type {Promise<unknown>} */
  let exit;
  const signal = () => child.kill(name);
  process.once("exit", signal);

  const start = async () => {
    let output = "";
    child = spawn(program, args(port, directory), {
      ...owner,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text) => {
        output = (output + text).slice(-4000);
      });
    }
    exit = once(child, "exit");
    // A program that is not there.
    exit.catch(() => {});
    const { promise: failed, cancel } = failure(child, () => `${program} ended: ${output}`);
    const late = () => `${program} does not listen: ${output}`;
    const listening = eventually(() => listens(port), late, START_MS);
    listening.catch(() => {});
    try {
      await Promise.race([listening, failed]);
    } finally {
      cancel();
    }
  };
  const kill = async () => {
    signal();
    await exit;
  };
  await start();
  return {
    port,
    directory,
    kill,
    start,
    async stop() {
      process.off("exit", signal);
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

/** Rejects when a process ends or cannot be started. @param {import("node:child_process").ChildProcess} child @param {() => string} message */
function failure(child, message) {
  const controller = new AbortController();
  const { signal } = controller;
  const promise = once(child, "exit", { signal }).then(() => {
    throw new Error(message());
  });
  promise.catch(() => {});
  return { promise, cancel: () => controller.abort() };
}

/** True if a process listens. @param {number} port */
async function listens(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

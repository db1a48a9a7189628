// @ts-check

// Runs programs, and ends every one that it started.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { within } from "../js/harness.mjs";

/** The limit of a build or an installation. */
const BUILD_MS = 240_000;
/** The limit of a server's start. */
const LISTEN_MS = 60_000;

// No child process may outlive this one, whatever ends it.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/**
 * Starts a program in a process group of its own, because many start others.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd: string, env: Record<string, string> }} options
 */
function start(program, args, { cwd, env }) {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exit = once(child, "close");
  let output = "";
  /** @type {Set<() => void>} */
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += stripVTControlCharacters(text);
      for (const listener of listeners) listener();
    });
  }
  const kill = () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  process.once("exit", kill);
  const stop = async () => {
    kill();
    await exit.catch(() => {});
    process.off("exit", kill);
  };
  const failure = (/** @type {string} */ what) =>
    new Error(`${[program, ...args].join(" ")} ${what}:\n${output}`);
  return { exit, stop, failure, output: () => output, listeners };
}

/**
 * Runs a program to its end, and rejects if it fails.
 *
 * @param {Parameters<typeof start>} command
 */
export async function runProgram(...command) {
  const { exit, stop, failure } = start(...command);
  try {
    const [code] = await within(exit, () => failure("does not end").message, BUILD_MS);
    if (code !== 0) throw failure(`exits with ${code}`);
  } finally {
    await stop();
  }
}

/**
 * Starts a server, and waits until it says where it listens.
 *
 * @param {Parameters<typeof start>} command
 */
export async function startServer(...command) {
  const { exit, stop, failure, output, listeners } = start(...command);
  try {
    const url = await within(
      new Promise((resolve, reject) => {
        listeners.add(() => {
          const [found] = /http:\/\/(127\.0\.0\.1|localhost):\d+/.exec(output()) ?? [];
          if (found !== undefined) resolve(`${found.replace("localhost", "127.0.0.1")}/`);
        });
        exit.then(([code]) => reject(failure(`exits with ${code}`)), reject);
      }),
      () => failure("does not listen").message,
      LISTEN_MS,
    );
    return { url, stop, output };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * The environment of what runs beside a fixture: nothing is sent anywhere but to the collector, and
 * nothing is written outside of the work directory.
 *
 * @param {string} work
 */
export const environment = (work) => ({
  FORCE_COLOR: "0",
  NO_UPDATE_NOTIFIER: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_LOG_PATH: join(work, "logs"),
  XDG_CONFIG_HOME: join(work, "config"),
});

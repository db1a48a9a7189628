// @ts-check
// Runs programs of their own, for tests of a process or of a fresh copy of the package. Node only.
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { fileURLToPath } from "node:url";
import { assert, within } from "./harness.mjs";

/** The longest silence of a program: other steps run beside this one. */
const PATIENCE_MS = 40_000;

// The signal by which `node --test` ends a file that takes too long; no program may outlive it.
process.once("SIGTERM", () => process.exit(1));

/**
 * Runs a program with `shardbus` at hand, waits until it exits by itself, and returns its output.
 *
 * @param {string} program
 * @param {string[]} [flags]
 * @param {number} [limitMs] the longest time that it may take
 */
export async function run(program, flags = [], limitMs = PATIENCE_MS) {
  const args = [...flags, "--input-type=module", "--eval", program];
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const child = spawn(process.execPath, args, { cwd });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => {
      output += text;
    });
  }
  const exit = new Promise((resolve) => child.on("close", resolve));
  try {
    const code = await within(
      exit,
      () => `the program does not exit; it printed ${output}`,
      limitMs,
    );
    assert.equal(code, 0, output);
    return output;
  } finally {
    child.kill("SIGKILL");
  }
}

/**
 * Starts a program with `shardbus` at hand that runs until it is told to end.
 *
 * @param {string} program
 * @param {string} [prelude] commands of the shell that becomes the program
 */
export function start(program, prelude = ":") {
  const node = [process.execPath, "--input-type=module", "--eval", program];
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  const args = ["-c", `${prelude}; exec "$0" "$@"`, ...node];
  return watch(spawn("sh", args, { cwd, stdio: "pipe" }));
}

/**
 * Watches a program that runs until it is told to end.
 *
 * @param {import("node:child_process").ChildProcessWithoutNullStreams} child
 */
export function watch(child) {
  const close = once(child, "close");
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  const printing = new EventEmitter();
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
      printing.emit("text");
    });
  }
  return {
    pid: /** @type {number} */ (child.pid),
    /** Its output so far. */
    output: () => output,
    /** @param {string} text */
    write: (text) => child.stdin.write(text),
    /** @param {NodeJS.Signals} signal */
    signal: (signal) => child.kill(signal),
    /** Waits until it has printed a text. @param {string | RegExp} text */
    async said(text) {
      const ended = close.then(() => assert.fail(`it ended, and printed ${output}`));
      ended.catch(() => {});
      const isThere = () => (text instanceof RegExp ? text.test(output) : output.includes(text));
      const reached = async () => {
        while (!isThere()) {
          const more = Promise.race([once(printing, "text"), ended]);
          await within(more, () => `waited for ${text}, it printed ${output}`, PATIENCE_MS);
        }
      };
      await within(reached(), () => `${text} does not come, it printed ${output}`, 100_000);
    },
    /** Waits until it ends, and returns its exit status, or the signal that ended it. */
    async ended() {
      const [code, signal] = await within(close, () => `it does not end: ${output}`, PATIENCE_MS);
      return /** @type {number | NodeJS.Signals} */ (signal ?? code);
    },
    async kill() {
      kill();
      await close;
    },
  };
}

// @ts-check
// Programs of their own whose system calls are watched. Linux only: strace is.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./child.node.mjs";
import { assert } from "./harness.mjs";

/** The calls that strace records. Not every architecture has the calls with a question mark. */
const CALLS = "write,pwrite64,writev,pwritev,fsync,fdatasync,?rename,renameat,?renameat2";

/** Why nothing can be traced here; `false` if it can, and in CI, where it must. */
export const whyNotTraced = process.env.CI !== "true" && !canTrace() && "there is no strace here";

function canTrace() {
  try {
    execFileSync("strace", ["--output", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program until it ends, and returns its writes, syncs and renames, in order, as `write
 * <path>`, `sync <path>` and `rename <path>` (the new one). Output is `print`. A sync counts from
 * its end on, everything else from its beginning.
 *
 * @param {string} program
 */
export async function traced(program) {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-trace-"));
  const log = join(directory, "log");
  const strace = `exec strace --follow-forks --decode-fds=path --output='${log}' --trace='${CALLS}'`;
  const child = start(program, `${strace} "$0" "$@"; :`);
  try {
    assert.equal(await child.ended(), 0, child.output());
    return [...steps(await readFile(log, "utf8"))];
  } finally {
    await child.kill();
    await rm(directory, { recursive: true });
  }
}

/** @param {string} log */
function* steps(log) {
  /** The path that each thread syncs. @type {Map<string, string>} */
  const syncing = new Map();
  for (const line of log.split("\n")) {
    const [, thread = "", call = "", rest = ""] =
      /^(\d+) +(?:<\.\.\. )?(\w+)(.*)$/.exec(line) ?? [];
    if (call.endsWith("sync")) {
      const path = /^\(\d+<(.*?)>/.exec(rest)?.[1];
      if (path !== undefined) syncing.set(thread, path);
      if (rest.endsWith("= 0")) yield `sync ${syncing.get(thread)}`;
    } else if (rest.includes("resumed>")) {
      // It was seen when it began.
    } else if (call.startsWith("rename")) {
      yield `rename ${[...rest.matchAll(/"(.*?)"/g)].at(-1)?.[1]}`;
    } else if (rest.startsWith("(1<")) {
      yield "print";
    } else if (call.includes("write")) {
      yield `write ${/^\(\d+<(.*?)>/.exec(rest)?.[1]}`;
    }
  }
}

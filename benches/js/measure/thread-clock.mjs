// The thread's CPU time: unlike elapsed time, it does not grow while other processes run.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Compiles the addon, and loads it. The same file serves all versions of Node. */
function load() {
  const directory = mkdtempSync(join(tmpdir(), "thread-clock-"));
  const addon = join(directory, "thread-clock.node");
  const include = path("../../../tests/runtimes/node_modules/node-24/include/node");
  const options = ["-shared", "-fPIC", "-O1", `-I${include}`, "-o", addon];
  try {
    execFileSync("cc", [...options, path("thread-clock.c")], { stdio: "ignore" });
    const module = { exports: {} };
    process.dlopen(module, addon);
    return module.exports;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Microseconds that this thread has computed; or the time, where there is no compiler, no headers of
 * Node, or another system.
 */
export function threadClock() {
  try {
    return load();
  } catch {
    return () => Number(process.hrtime.bigint()) / 1000;
  }
}

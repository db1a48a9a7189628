// @ts-check
// Programs of their own, for the tests of what a process or a fresh copy of the package does. Node
// only.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assert, within } from "./harness.mjs";

/**
 * Runs a program with `shardbus` at hand, waits until it exits by itself, and returns what it
 * printed.
 *
 * @param {string} program
 * @param {string[]} [flags]
 */
export async function run(program, flags = []) {
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
      20_000,
    );
    assert.equal(code, 0, output);
    return output;
  } finally {
    child.kill("SIGKILL");
  }
}

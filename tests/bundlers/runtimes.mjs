// @ts-check

// The runtimes that `tests/runtimes` installs.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(new URL("../runtimes/package.json", import.meta.url));

/**
 * The path of a program that an npm package for this platform brings.
 *
 * @param {string} packageName
 * @param {string} program
 */
function programOf(packageName, program) {
  try {
    return join(dirname(require.resolve(`${packageName}/package.json`)), program);
  } catch {
    throw new Error(`run npm ci in tests/runtimes: ${packageName} is missing`);
  }
}

const { platform, arch } = process;
export const deno = () => programOf(`@deno/${platform}-${arch}-glibc`, "deno");
export const bun = () => programOf(`@oven/bun-${platform}-${arch}`, "bin/bun");
export const node24 = () => programOf("node-24", "bin/node");
export const node26 = () => programOf("node-26", "bin/node");

// The other runtimes, which tests/runtimes has from npm.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const packages = fileURLToPath(new URL("../../tests/runtimes/node_modules/", import.meta.url));
const { arch, platform } = process;

const programs = [
  ["Node", "node-24/bin/node", ["--expose-gc"]],
  ["Node", "node-26/bin/node", ["--expose-gc"]],
  ["Deno", `@deno/${platform}-${arch}-glibc/deno`, ["run", "-A", "--v8-flags=--expose-gc"]],
  ["Bun", `@oven/bun-${platform}-${arch}/bin/bun`, ["--expose-gc"]],
];

/** Those that are there, by name and version. */
export function otherRuntimes() {
  const there = programs.filter(([, path]) => existsSync(packages + path));
  return there.map(([name, path, args]) => {
    const program = packages + path;
    const [version] = /\d+\.\d+\.\d+/.exec(
      execFileSync(program, ["--version"], { encoding: "utf8" }),
    );
    return { name: `${name} ${version}`, program, args };
  });
}

/** Those in which candidates are compared turn by turn: the newest of Node, or this one. */
export function turnRuntimes() {
  const newest = otherRuntimes().filter(({ name }) => name.startsWith("Node"));
  if (newest.length > 0) return newest;
  return [{ name: `Node ${process.versions.node}`, program: process.execPath, args: [] }];
}

// @ts-check
// Test runners that fake clocks of their own, and have environments of their own.
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram } from "../bundlers/programs.mjs";
import { node24 } from "../bundlers/runtimes.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");

/** @param {string} node @param {string} directory @param {string[]} args */
const run = (node, directory, args) =>
  runProgram(node, args, { cwd: join(here, directory), env: { NO_COLOR: "1" } });

test("Jest, in Node and in jsdom", () =>
  run(process.execPath, "jest", [join(modules, "jest/bin/jest.js"), "--config=jest.config.cjs"]));

// Vitest needs a newer Node than this package does.
test("Vitest, in Node and in happy-dom", () =>
  run(node24(), "vitest", [
    join(modules, "vitest/vitest.mjs"),
    "run",
    "--config=vitest.config.mjs",
  ]));

// @ts-check
// Buses under the fake clocks of Node. The checks are in `clocks/checks.cjs`.
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram } from "../bundlers/programs.mjs";

const program = fileURLToPath(new URL("clocks/node.mjs", import.meta.url));

for (const clock of [
  "sinon",
  "@sinonjs/fake-timers, at today's date",
  "@sinonjs/fake-timers, timers alone",
  "node:test",
  "node:test, timers alone",
]) {
  test(`under the clock of ${clock}, buses keep to it, and survive it`, () =>
    runProgram(process.execPath, [program, clock], { cwd: process.cwd(), env: {} }));
}

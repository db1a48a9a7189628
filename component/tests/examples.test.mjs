// The hosts of `examples/component` deliver every event to a receiver that is away at first.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const EXAMPLES = new URL("../../examples/component/", import.meta.url);
const path = (name) => fileURLToPath(new URL(name, EXAMPLES));

for (const [command, program] of [
  ["python3", "main.py"],
  ["node", "main.mjs"],
]) {
  test(`${program} delivers every event through an outage`, async () => {
    const args = [path("with-collector.mjs"), command, path(program)];
    const { stdout } = await promisify(execFile)("node", args, { timeout: 120_000 });
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.filter((line) => line === "collector: away").length, 2);
    assert.ok(lines.includes("delivered 1001, abandoned 0"), stdout);
    assert.equal(lines.at(-1), "collector: 1001 events in all, 1001 different");
  });
}

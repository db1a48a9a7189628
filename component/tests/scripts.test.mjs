// The component in JavaScript, and the npm package, give the answers of the crate to the same scripts.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Clock } from "../../tests/js/clock.mjs";
import { BUILT, loadCore } from "./built.mjs";
import { onComponent } from "./script-on-component.mjs";
import { onPackage } from "./script-on-package.mjs";

/** @type {{ script: import("./script.mjs").Script, answers: any }[]} */
const runs = JSON.parse(await readFile(join(BUILT, "scripts.json"), "utf8"));

/** Runs scripts, and compares. @param {typeof runs} chosen @param {(script: any) => any} run */
async function compare(chosen, run) {
  assert.ok(chosen.length > 50, `${chosen.length} scripts`);
  for (const { script, answers } of chosen) {
    assert.deepEqual(await run(script), answers, script.name);
  }
}

test("the component as JavaScript gives the answers of the crate", async () => {
  const { eventBus } = await loadCore();
  await compare(runs, (script) => onComponent(eventBus.Bus, script));
});

test("the npm package gives the answers of the crate", async () => {
  const clock = new Clock();
  try {
    await compare(runs, (script) => onPackage(script, clock));
  } finally {
    clock.restore();
  }
});

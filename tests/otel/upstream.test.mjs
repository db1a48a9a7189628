// @ts-check
// Upstream's own suites for its batch processors, with ours in their place.
import assert from "node:assert/strict";
import test from "node:test";
import { run } from "./upstream.mjs";

/** The number of tests in the suites. */
const TESTS = 51;

test("ours pass all tests of upstream's batch processors", async () => {
  const { passes, failures, replaced } = await run("ours");
  const sentences = failures.map((it) => `${it.fullTitle}: ${it.err.message}`);
  assert.deepEqual(sentences, []);
  assert.equal(passes.length, TESTS);
  assert.deepEqual(replaced, ["sdk-logs/export/BatchLogRecordProcessorBase", "sdk-trace/index"]);
});

test("upstream's own pass the same number, so the suites are whole", async () => {
  const { passes, failures } = await run("theirs");
  assert.equal(failures.length, 0);
  assert.equal(passes.length, TESTS);
});

// @ts-check
// Names that stack traces and consoles show. Node only: a bundler may rename classes.
import * as shardbus from "shardbus";
import { EventBus } from "shardbus";
import { assert, test } from "./harness.mjs";

test("classes have the names that they are exported by", async () => {
  for (const [name, value] of Object.entries(shardbus)) {
    if (typeof value === "function") assert.equal(value.name, name);
  }
  /** @type {unknown[]} */
  const names = [];
  const bus = new EventBus((_, context) => {
    names.push(context.constructor.name);
  });
  bus.ingest(1);
  await bus.close();
  assert.deepEqual(names, ["AttemptContext"]);
});

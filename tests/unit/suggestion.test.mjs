// @ts-check
import test from "node:test";
import { assert } from "chai";
import { source } from "./source.mjs";

/** @type {typeof import("../../pkg-js/src/validation/suggestion.js")} */
const { suggestion } = await source("validation/suggestion.ts");

const any = () => undefined;
/** @type {import("../../pkg-js/src/validation/schema.js").Schema} */
const schema = { capacity: any, timeoutMs: any, batch: { maxSize: any, maxBytes: any } };

/** The suggestion for a name in the options at `path`. */
const suggested = (/** @type {string} */ name, path = "") => suggestion(name, schema, path);

test("a misspelt option resembles its right name, in any case", () => {
  for (const name of ["capcity", "Capacity", "capacitty"]) {
    assert.equal(suggested(name), " (did you mean `capacity`?)", name);
  }
});

test("an option of a nested group is found by its own name", () => {
  assert.equal(suggested("maxSize"), " (did you mean `batch.maxSize`?)");
  assert.equal(suggested("batchMaxSize"), " (did you mean `batch.maxSize`?)");
});

test("the path of the group stands before the name", () => {
  assert.equal(suggested("timeout", "retry."), " (did you mean `retry.timeoutMs`?)");
});

test("a name that resembles no option has no suggestion", () => {
  for (const name of ["", "x", "flushInterval"]) assert.equal(suggested(name), "", name);
});

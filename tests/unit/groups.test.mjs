// @ts-check
import test from "node:test";
import { assert } from "chai";
import { source } from "./source.mjs";

/** @type {typeof import("../../pkg-js/src/opentelemetry/groups.js")} */
const { Groups } = await source("opentelemetry/groups.ts");

const resource = { attributes: {} };
const recordOf = (/** @type {number} */ n) => {
  return { resource, instrumentationScope: { name: "cart", attributes: { request: n } } };
};

test("scopes without end are forgotten while no event is held", () => {
  const groups = new Groups(() => false);
  for (let n = 0; n < 10_000; n++) {
    const index = groups.indexOf(recordOf(n));
    assert.equal(groups.at(index).scope.attributes?.request, n);
    assert.equal(groups.indexOf(recordOf(n)), index);
    assert.isAtMost(groups.size, 1000);
  }
});

test("no scope is forgotten that an event may need", () => {
  const groups = new Groups(() => true);
  const indexes = Array.from({ length: 3000 }, (_, n) => groups.indexOf(recordOf(n)));
  indexes.forEach((index, n) => {
    assert.equal(groups.at(index).scope.attributes?.request, n);
  });
});

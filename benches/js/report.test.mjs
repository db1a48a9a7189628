import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "./bars.mjs";
import { Census, makeEvent } from "./events.mjs";
import { spread } from "./plots.mjs";
import { compared, median, quantile, summary } from "./statistics.mjs";
import { table } from "./tables.mjs";

test("the median is in the middle, whatever the order", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([9, 1, 10]), 9);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.deepEqual(summary([3, 1, 2]), { median: 2, min: 1, max: 3, values: [3, 1, 2] });
});

test("two are compared round by round", () => {
  const [ours, theirs] = [summary([2, 40, 6]), summary([1, 10, 2])];
  assert.equal(
    compared(ours, theirs, (a, b) => a / b),
    3,
  );
});

test("a quantile is between its neighbours", () => {
  assert.equal(quantile([10, 20, 30, 40, 50], 0.25), 20);
  assert.equal(quantile([1, 2], 0.25), 1.25);
});

test("a bar is a limit from above, or from below", () => {
  const bar = { bar: 1.1, stretch: 1 };
  assert.deepEqual(
    [1, 1.1, 1.11].map((value) => verdict({ ...bar, value })),
    ["stretch", "bar", "no"],
  );
  const least = { bar: 2.5, stretch: 3, atLeast: true };
  assert.deepEqual(
    [3, 2.5, 2.4].map((value) => verdict({ ...least, value })),
    ["stretch", "bar", "no"],
  );
});

test("a census finds what is missing and what is repeated, in any format", () => {
  const encode = (text) => new TextEncoder().encode(text);
  const census = new Census(3);
  census.add(encode(`${JSON.stringify(makeEvent(0))}\n{"ts":{"value":"${makeEvent(1).ts}"}}`));
  assert.match(census.complaint(), /1 are missing and 0 /);
  census.add(encode(JSON.stringify([makeEvent(2), makeEvent(1)])));
  assert.match(census.complaint(), /0 are missing and 1 /);
  const whole = new Census(2);
  whole.add(encode(JSON.stringify([makeEvent(1), makeEvent(0)])));
  assert.equal(whole.complaint(), undefined);
});

test("a table is Markdown", () => {
  assert.equal(table(["", "-n"], [["a", "1"]]), "|  | n |\n| --- | ---: |\n| a | 1 |");
});

test("labels keep their distance and their order", () => {
  assert.deepEqual(spread([95, 92, 300], 10), [102, 92, 300]);
  assert.deepEqual(spread([1, 1, 1], 2), [1, 3, 5]);
});

// @ts-check
import test from "node:test";
import { assert } from "chai";
import { source } from "./source.mjs";

/** @type {typeof import("../../pkg-js/src/errors/delivery-error.js")} */
const { DeliveryError } = await source("errors/delivery-error.ts");

/** The pause that a response with these headers asks for. @param {Record<string, string>} headers */
const pauseMs = (headers) =>
  DeliveryError.fromResponse(new Response("", { status: 503, headers })).retryAfterMs;

const noon = "Mon, 30 Nov 2026 12:00:00 GMT";
const later = "Mon, 30 Nov 2026 12:01:30 GMT";

test("Retry-After in seconds is a pause in milliseconds", () => {
  assert.equal(pauseMs({ "retry-after": "90" }), 90_000);
  assert.equal(pauseMs({ "retry-after": " 0 " }), 0);
});

test("Retry-After as a date counts from the response's own Date", () => {
  assert.equal(pauseMs({ "retry-after": later, date: noon }), 90_000);
});

test("Retry-After with a date in the past asks for no pause", () => {
  assert.equal(pauseMs({ "retry-after": noon, date: later }), 0);
});

test("an unreadable Retry-After asks for no pause", () => {
  for (const header of ["soon", "-1", "1.5.2", "9".repeat(400)]) {
    assert.equal(pauseMs({ "retry-after": header, date: noon }), 0, header);
  }
});

test("a response without Retry-After asks for no pause", () => {
  assert.equal(pauseMs({ date: noon }), 0);
});

// @ts-check

// The reporter of `node --test` for these tests: `spec`, and two kinds of silence are failures. A test
// that is skipped in CI for a reason that `skips.mjs` lacks, and a file in which no test ran.
import { relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";
import { isAllowedSkip } from "./skips.mjs";

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* reporter(events) {
  /** The failures. @type {string[]} */
  const silent = [];
  async function* watched() {
    for await (const event of events) {
      if (event.type === "test:pass" || event.type === "test:fail") {
        silent.push(...silence(event));
      }
      yield event;
    }
  }
  yield* Readable.from(watched()).compose(new spec());
  if (silent.length === 0) return;
  process.exitCode = 1;
  yield `\n✖ tests that did not run:\n${silent.map((text) => `  ${text}\n`).join("")}`;
}

/**
 * The reason of a test that did not run, if there is one.
 * @param {{ type: string, data: any }} event
 * @returns {string[]}
 */
function silence({ type, data: { name, file = "", skip, todo } }) {
  // A file without tests, Node reports as a test that has its name.
  const isFile = resolve(name) === file;
  if (isFile && type === "test:pass") return [`${relative("", file)}: no test ran`];
  const reason = skip || todo;
  if (!reason || isAllowedSkip(reason)) return [];
  return [`${relative("", file)}: ${name}: it is skipped, for a reason that tests/skips.mjs lacks`];
}

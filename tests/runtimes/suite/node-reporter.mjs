// @ts-check

// A reporter of `node --test` that writes the results line by line, as JSON.
import { inspect } from "node:util";

/**
 * One line.
 *
 * @typedef {object} Line
 * @property {string} type the event's
 * @property {string} [file]
 * @property {string} [name]
 * @property {boolean} isSuite true for a `describe`
 * @property {string | boolean} [skip] the reason why the test did not run, or may fail
 * @property {string} [text] output, or an error
 */

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* jsonLines(events) {
  for await (const { type, data } of events) {
    const { file, name, message, details } = data;
    const skip = data.skip || data.todo;
    const error = details?.error && inspect(details.error.cause ?? details.error);
    const isSuite = details?.type === "suite";
    yield `${JSON.stringify({ type, file, name, isSuite, skip, text: message ?? error })}\n`;
  }
}

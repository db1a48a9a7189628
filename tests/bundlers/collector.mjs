// @ts-check

// Takes batches over HTTP, and tells whether every event came exactly once.
import { deferred, within } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";

/** The number of events that each bus sends (`shared/send.js`). */
const COUNT = 250;
/** A dev server may compile first. */
const DEADLINE_MS = 30_000;

// A page of any server may send here.
const HEADERS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "content-type, idempotency-key",
};

/** Starts a collector on a free port. */
export async function startCollector() {
  /** The events' numbers by where they come from. @type {Map<string, number[]>} */
  const received = new Map();
  /** Which sources have said that nothing more comes. @type {Set<string>} */
  const ended = new Set();
  let look = () => {};

  const server = await serve(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    response.writeHead(200, HEADERS).end();
    if (request.method !== "POST") return;
    for (const line of body.split("\n")) {
      const { source, n, isLast } = JSON.parse(line);
      if (isLast) ended.add(source);
      else received.set(source, [...(received.get(source) ?? []), n]);
    }
    look();
  });

  /** A summary of the collected events, for a message. */
  const summary = () =>
    [...received]
      .map(([source, { length }]) => {
        const isOpen = !ended.has(source);
        return `${length} from ${source}${isOpen ? ", which may send more" : ""}`;
      })
      .join("; ") || "nothing";

  /** @param {string[]} sources */
  function assertExactlyOnce(sources) {
    const unexpected = [...received.keys()].filter((source) => !sources.includes(source));
    if (unexpected.length > 0) throw new Error(`events from ${unexpected}`);
    for (const source of sources) {
      const numbers = [...(received.get(source) ?? [])].sort((a, b) => a - b);
      if (numbers.length !== COUNT || numbers.some((n, at) => n !== at)) {
        throw new Error(
          `not every event of ${source} came exactly once: the collector got ${summary()}`,
        );
      }
    }
  }

  return {
    url: `${server.url}/`,
    /**
     * Waits until the sources have said that they sent all.
     *
     * @param {string[]} sources
     */
    waitFor(sources) {
      const { promise, resolve } = deferred();
      look = () => sources.every((source) => ended.has(source)) && resolve();
      look();
      return within(promise, () => `the collector got ${summary()}`, DEADLINE_MS);
    },
    assertExactlyOnce,
    stop: server.stop,
  };
}

// @ts-check

// The collector that runtimes under test send their batches to.
import { gunzipSync } from "node:zlib";
import { deferred } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";
import { Log } from "./log.mjs";

/**
 * One request that the collector got.
 *
 * @typedef {object} Delivery
 * @property {string} id the batch's
 * @property {number} attempt
 * @property {boolean} keepalive set by the sender of the request
 * @property {number} bytes of the body
 * @property {boolean} isCompressed
 * @property {any[]} events
 * @property {() => void} answer answers it, if it is held
 * @property {Promise<boolean>} ended true if it was answered, false if the sender went away before
 */

/** Lets pages of any origin send anything; asked about every request, because nothing is cached. */
const headers = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "*",
  "access-control-max-age": "0",
  // Chromium reads a response that the page does not, but not one of these.
  "cache-control": "no-store",
};

const ANSWER = '{"status":1}';

/**
 * A collector of batches, which can keep senders waiting.
 *
 * @param {number} [port] where it listens; a free one, if it is left out
 */
export async function startCollector(port) {
  /** @type {Log<Delivery>} */
  const log = new Log();
  /** @type {Log<import("node:http").ServerResponse>} */
  const waiting = new Log();
  let preflights = 0;
  let held = 0;

  const server = await serve(async (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const sent = await read(request);
    // The sender was cut off before it had said it all.
    if (sent === undefined) return;
    const isCompressed = request.headers["content-encoding"] === "gzip";
    const body = isCompressed ? gunzipSync(sent) : sent;
    if (request.method === "OPTIONS") {
      preflights++;
      response.end();
      return;
    }
    if (request.url === "/wait") {
      waiting.add(response);
      return;
    }
    /** @type {ReturnType<typeof deferred<boolean>>} */
    const ended = deferred();
    response.on("close", () => ended.resolve(response.writableFinished));
    const { searchParams } = new URL(String(request.url), "http://collector.example");
    const answer = () => response.end(ANSWER);
    if (held > 0) held--;
    else answer();
    log.add({
      // Headers of its own would turn a page's simple request into one that needs a preflight.
      id: searchParams.get("id") ?? String(request.headers["idempotency-key"]),
      attempt: Number(searchParams.get("attempt") ?? request.headers["x-attempt"]),
      keepalive: searchParams.get("keepalive") === "true",
      bytes: sent.length,
      isCompressed,
      events: body
        .toString()
        .split("\n")
        .map((line) => JSON.parse(line)),
      answer,
      ended: ended.promise,
    });
  }, port);

  return {
    port: server.port,
    log: log.entries,
    /** The number of preflight requests. */
    preflights: () => preflights,
    /** Lets the next `count` requests wait for their answers. */
    holdNext(count = 1) {
      held += count;
    },
    /** Lets the requests go on that wait for it, once there is one. */
    async goOn() {
      await waiting.until((responses) => responses.length > 0);
      for (const response of waiting.entries.splice(0)) response.end();
    },
    /** Waits until there were `count` requests, and returns the last of them. @param {number} count */
    async nth(count) {
      await log.until((deliveries) => deliveries.length >= count);
      return /** @type {Delivery} */ (log.entries[count - 1]);
    },
    /** All events, in the order in which they came. */
    events: () => log.entries.flatMap(({ events }) => events),
    /** Waits until there were `count` events, repeated ones included, and returns them. @param {number} count */
    async nthEvent(count) {
      const all = () => log.entries.flatMap(({ events }) => events);
      await log.until(() => all().length >= count);
      return all();
    },
    stop: server.stop,
  };
}

/** @param {import("node:http").IncomingMessage} request */
async function read(request) {
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

// @ts-check
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

/**
 * The collector's behaviour for a batch that it has not stored yet:
 *
 * - `store`: keeps it, answers 204.
 * - `refuse`: keeps nothing, answers 503.
 * - `refuse-for-1s`: keeps nothing, answers 503 with `Retry-After: 1`.
 * - `store-then-fail`: keeps it, yet answers 503, as if the good answer had been lost on its way.
 *
 * @typedef {"store" | "refuse" | "refuse-for-1s" | "store-then-fail"} Verdict
 */

/**
 * Decides about one request: `ordinal` counts the distinct batch ids in order of first sight,
 * `attempt` the requests with this id; both start at 1.
 *
 * @typedef {(request: { id: string, ordinal: number, attempt: number }) => Verdict} Policy
 */

/** @typedef {{ id: string, shard: number, sequence: number, body: Buffer }} StoredBatch */

/**
 * An HTTP collector on a free port of 127.0.0.1 that stores every batch once, recognised by its
 * `idempotency-key`. `batches` is in order of arrival.
 */
export class Collector {
  /** @type {StoredBatch[]} */
  batches = [];
  /** Requests in all, whatever the answer. */
  requests = 0;
  /** Requests that brought a batch already stored; they are answered 204 and otherwise ignored. */
  duplicates = 0;
  /** Ids under which two different bodies came: a sender that reuses ids loses data.
   * @type {Set<string>} */
  conflicts = new Set();

  /** @type {Map<string, { ordinal: number, attempts: number, stored?: StoredBatch }>} */
  #seen = new Map();
  #policy;
  #server;

  /** @param {Policy} [policy] everything is stored by default */
  constructor(policy = () => "store") {
    this.#policy = policy;
    this.#server = createServer((request, response) => {
      // A sender that hangs up in the middle of its body is its own affair, not ours.
      this.#receive(request, response).catch(() => response.destroy());
    });
    // An idle collector must not keep a process alive that has nothing left to send.
    this.#server.unref();
  }

  /** @returns {Promise<string>} the URL to post to */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}/`;
  }

  /** Stops listening and cuts the connections that are still open. */
  async close() {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async #receive(request, response) {
    const body = await buffer(request);
    this.requests++;
    const id = request.headers["idempotency-key"];
    if (typeof id !== "string" || id === "") {
      response.writeHead(400).end("The header idempotency-key is missing.\n");
      return;
    }
    const verdict = this.#record(id, body, request.headers);
    const headers = verdict === "refuse-for-1s" ? { "retry-after": "1" } : {};
    response.writeHead(verdict === "store" ? 204 : 503, headers).end();
  }

  /**
   * @param {string} id
   * @param {Buffer} body
   * @param {import("node:http").IncomingHttpHeaders} headers
   * @returns {Verdict}
   */
  #record(id, body, headers) {
    const entry = this.#seen.get(id) ?? { ordinal: this.#seen.size + 1, attempts: 0 };
    this.#seen.set(id, entry);
    entry.attempts++;

    if (entry.stored) {
      this.duplicates++;
      if (!entry.stored.body.equals(body)) this.conflicts.add(id);
      return "store";
    }
    const verdict = this.#policy({ id, ordinal: entry.ordinal, attempt: entry.attempts });
    if (verdict === "store" || verdict === "store-then-fail") {
      const [shard, sequence] = [Number(headers["x-shard"]), Number(headers["x-sequence"])];
      entry.stored = { id, shard, sequence, body };
      this.batches.push(entry.stored);
    }
    return verdict;
  }
}

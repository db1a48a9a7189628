// @ts-check
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/** A collector on 127.0.0.1 that has outages. */
export class Collector {
  /** The number of coming requests to refuse. */
  refusals = 0;
  /** Events, each once. @type {any[]} */
  events = [];
  /** Batches that are there: one that comes again is not taken twice. @type {Set<string>} */
  #ids = new Set();
  #server = createServer(async (request, response) => {
    const body = await text(request);
    this.#server.emit("batch");
    if (this.refusals-- > 0) return response.writeHead(503).end();
    const id = String(request.headers["idempotency-key"]);
    if (!this.#ids.has(id)) this.events.push(...body.split("\n").map((line) => JSON.parse(line)));
    this.#ids.add(id);
    response.writeHead(204).end();
  });

  /** @returns {Promise<string>} the URL to post to */
  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${port}/`;
  }

  /** Waits for the next request. */
  async request() {
    await once(this.#server, "batch");
  }

  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

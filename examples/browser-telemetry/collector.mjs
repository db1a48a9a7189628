// @ts-check
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";

const SLOW_MS = 2000;

/** A collector of batches that can be told to answer late, or not to take anything. */
export class Collector {
  /** @type {"up" | "slow" | "down"} */
  mode = "up";
  /** The events that it took. @type {any[]} */
  events = [];
  /** Batches that it has: one that comes again is not taken twice. @type {Set<string>} */
  #ids = new Set();

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async take(request, response) {
    const body = await text(request);
    if (this.mode === "slow") await setTimeout(SLOW_MS);
    if (this.mode === "down") return response.writeHead(503).end();
    const id = String(request.headers["idempotency-key"]);
    if (!this.#ids.has(id)) this.events.push(...body.split("\n").map((line) => JSON.parse(line)));
    this.#ids.add(id);
    response.writeHead(204).end();
  }
}

// @ts-check

// A Worker whose events go through a Durable Object, which sends them by alarm.
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { durableObjectStore } from "./store.mjs";

const COLLECTOR = "https://collector.example/events";
/** The wait of events for others, and of a failed batch for its next attempt. */
const DELAY_MS = 1000;

const send = httpSink(COLLECTOR);

export class Events {
  #storage;
  #bus;

  /** @param {any} ctx the object's state */
  constructor(ctx) {
    this.#storage = ctx.storage;
    this.#bus = new EventBus(send, { store: durableObjectStore(ctx.storage) });
  }

  /** Takes an event. @param {Request} request */
  async fetch(request) {
    this.#bus.ingest(await request.json());
    if ((await this.#storage.getAlarm()) === null) await this.#wake();
    return new Response(null, { status: 202 });
  }

  /**
   * Sends all events, and before them the batches of the object's previous run, from its storage.
   * An alarm that does not come to its end is repeated by Cloudflare.
   */
  async alarm() {
    const { pending } = await this.#bus.flush({ timeoutMs: 20_000 });
    if (pending > 0) await this.#wake();
  }

  #wake() {
    return this.#storage.setAlarm(Date.now() + DELAY_MS);
  }
}

export default {
  /** @param {Request} request @param {{ EVENTS: any }} env */
  fetch(request, env) {
    return env.EVENTS.get(env.EVENTS.idFromName("all")).fetch(request);
  },
};

// @ts-check

// A producer for workerd: a Worker that takes flights, some in each request, into a bus at module
// scope, which publishes them to JetStream over WebSockets.

// @ts-expect-error Cloudflare's.
import { env } from "cloudflare:workers";
import { jetstream } from "@nats-io/jetstream";
import { wsconnect } from "@nats-io/nats-core";
import { EventBus } from "shardbus";
import { natsSink } from "shardbus/sinks/nats";

/** @type {EventBus<import("../flights/flights.mjs").Flight>} */
const bus = new EventBus(
  async (batch, context) => {
    // A connection belongs to the request that opened it, so each batch has its own.
    const connection = await wsconnect({ servers: env.NATS, reconnect: false });
    try {
      await natsSink(jetstream(connection), "flights.workerd")(batch, context);
    } finally {
      await connection.close();
    }
  },
  {
    shards: 4,
    backpressure: "drop-newest",
    key: ({ origin }) => origin,
    retry: { maxDelayMs: 2000 },
    onDrop: ({ reason, count }) => {
      if (reason !== "full") console.error(`workerd: ${count} events were lost: ${reason}.`);
    },
  },
);

export default {
  /** @param {Request} request @param {unknown} _env @param {import("shardbus").RequestContext} ctx */
  async fetch(request, _env, ctx) {
    if (request.method === "POST") {
      const lines = (await request.text()).split("\n");
      // The sender sends rejected events again, and no event overtakes them.
      const full = lines.findIndex((line) => !bus.ingest(JSON.parse(line)));
      bus.waitUntil(ctx); // it does not wait for JetStream
      return Response.json({ taken: full === -1 ? lines.length : full, stats: bus.stats() });
    }
    if (new URL(request.url).pathname === "/flush") await bus.flush();
    return Response.json({ stats: bus.stats() });
  },
};

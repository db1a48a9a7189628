// @ts-check

// A Worker that keeps an access log: many requests share a message in a queue, and each message
// becomes a file in R2.

// @ts-expect-error Cloudflare's: `npx wrangler types` declares it.
import { env } from "cloudflare:workers";
import { EventBus } from "shardbus";

const bus = new EventBus(
  // A message takes an object with bytes in it as it is.
  ({ id, body }) => env.ACCESS_LOG.send({ id, body }, { contentType: "v8" }),
  // A message may have 128 kB, and each 64 kB of it are one operation on the bill.
  { batch: { maxBytes: 60_000 } },
);

export default {
  /** @param {any} request @param {unknown} _env @param {import("shardbus").RequestContext} ctx */
  async fetch(request, _env, ctx) {
    const start = Date.now();
    const response = await respond(request);
    bus.ingest({
      at: new Date(start).toISOString(),
      method: request.method,
      url: request.url,
      status: response.status,
      ms: Date.now() - start,
      country: request.cf?.country,
      userAgent: request.headers.get("user-agent"),
    });
    bus.waitUntil(ctx);
    return response;
  },

  /**
   * Takes messages from the queue. A batch that comes twice takes the place of itself.
   *
   * @param {{ messages: { body: { id: string, body: Uint8Array }, ack(): void }[] }} batch
   */
  async queue({ messages }) {
    for (const message of messages) {
      const { id, body } = message.body;
      await env.LOGS.put(`${id}.ndjson`, body);
      message.ack();
    }
  },
};

/** Your Worker's own work. @param {Request} request */
async function respond(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/") return new Response("hello\n");
  return new Response("There is nothing here.\n", { status: 404 });
}

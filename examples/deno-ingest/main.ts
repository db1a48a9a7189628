// An endpoint that takes events from many senders, and hands them on in batches.
import { EventBus } from "shardbus";
import { installShutdownHooks } from "shardbus/shutdown";
import { httpSink } from "shardbus/sinks/http";

const collector = Deno.env.get("COLLECTOR") ?? "http://127.0.0.1:9000/";

const bus = new EventBus<unknown>(httpSink(collector), {
  // Senders get 503 when the bus is full, and send again.
  backpressure: "drop-newest",
});

const server = Deno.serve(
  { hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 8080) },
  async (request) => {
    if (request.method !== "POST") return Response.json(bus.stats());
    let event: unknown;
    try {
      event = await request.json();
    } catch {
      return new Response("That is no JSON.\n", { status: 400 });
    }
    try {
      if (bus.ingest(event)) return new Response(null, { status: 202 });
    } catch {
      return new Response("That is too large.\n", { status: 413 });
    }
    return new Response(null, { status: 503, headers: { "retry-after": "1" } });
  },
);

installShutdownHooks({
  // First the open requests, then their events.
  async close() {
    await server.shutdown();
    await bus.close({ timeoutMs: 3000 });
  },
});

// @ts-check

// An HTTP service that logs each request, and loses no line of its log: not while the collector is
// down, nor when it is told to end.
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { EventBus } from "shardbus";
import { installShutdownHooks } from "shardbus/shutdown";
import { httpSink } from "shardbus/sinks/http";
import { fileStore } from "shardbus/stores/fs";

const { PORT = "8080", COLLECTOR = "http://127.0.0.1:9000/", OUTBOX = "outbox" } = process.env;

const bus = new EventBus(httpSink(COLLECTOR), { store: fileStore(OUTBOX) });

const server = createServer((request, response) => {
  const { method, url } = request;
  const start = performance.now();
  response.on("close", () => {
    const ms = Math.round(performance.now() - start);
    bus.ingest({ at: new Date().toISOString(), method, url, status: response.statusCode, ms });
  });

  if (url === "/stats") response.end(JSON.stringify(bus.stats()));
  else response.end("hello\n");
});

/** First the open requests, then the lines that they have logged. */
async function close() {
  server.close();
  await Promise.race([once(server, "close"), setTimeout(2000)]);
  await bus.close({ timeoutMs: 3000 });
}
installShutdownHooks({ close }, { timeoutMs: 6000 });

server.listen(Number(PORT), "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`Listening on http://127.0.0.1:${port}/`);
});

// Runs a program with a collector for its events, whose URL is in `COLLECTOR`. The collector is away for
// the first two requests.
//
//     node examples/component/with-collector.mjs python3 examples/component/main.py
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

let away = 2;
/** The events of the batches by their ids: one that comes again is not taken twice. */
const batches = new Map();

const server = createServer(async (request, response) => {
  const events = (await text(request)).split("\n");
  if (away-- > 0) {
    console.log("collector: away");
    response.writeHead(503).end();
    return;
  }
  const id = request.headers["idempotency-key"];
  console.log(`collector: batch ${id}, ${events.length} events`);
  batches.set(id, events);
  response.writeHead(204).end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const [command, ...args] = process.argv.slice(2);
const COLLECTOR = `http://127.0.0.1:${server.address().port}/events`;
const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, COLLECTOR } });
const [code] = await once(child, "exit");
server.close();
server.closeAllConnections();
const events = [...batches.values()].flat();
console.log(`collector: ${events.length} events in all, ${new Set(events).size} different`);
process.exitCode = code ?? 1;

// Millions of events to a collector that is down a third of the time. At the end every event must be
// accounted for, and memory must be where it was.

import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { memoryBound, watchMemory } from "../../tests/js/memory.mjs";

const wasmBytes = watchMemory();
const { DeliveryError, EventBus } = await import("shardbus");
const { makeEvent } = await import("./events.mjs");

const { values } = parseArgs({ options: { events: { type: "string", default: "50000000" } } });
const total = Number(values.events);

const SHARDS = 4;
const TURN = 1000;
const MAX_BYTES = 8 << 20;
/** Events that its shards hold at most. */
const MAX_HELD = SHARDS * 65_536;
const WASM_BOUND = memoryBound(MAX_BYTES, SHARDS, MAX_HELD);
/** Memory that V8 and the HTTP client may keep for reuse. */
const PROCESS_SLACK = 64 << 20;

const collector = fork(new URL("soak-collector.mjs", import.meta.url));
process.once("exit", () => collector.kill());
const [{ port }] = await once(collector, "message");
async function ask(question) {
  collector.send(question);
  const [answer] = await once(collector, "message");
  return answer;
}

const agent = new Agent({ keepAlive: true, maxSockets: SHARDS });

function send(batch, { signal }) {
  return new Promise((resolve, reject) => {
    const headers = { "content-length": batch.body.length, "idempotency-key": batch.id };
    const outgoing = request({ port, host: "127.0.0.1", method: "POST", agent, headers, signal });
    outgoing.on("error", reject).on("response", (response) => {
      const { statusCode } = response;
      response.resume().on("error", reject);
      response.on("end", () => {
        if (statusCode === 200) resolve();
        else reject(new DeliveryError(`status ${statusCode}`, { status: statusCode }));
      });
    });
    outgoing.end(batch.body);
  });
}

const told = {};
const bus = new EventBus(send, {
  shards: SHARDS,
  maxBytes: MAX_BYTES,
  batch: { maxSize: 2000 },
  retry: { baseDelayMs: 100, maxDelayMs: 500 },
  onDrop({ reason, count }) {
    told[reason] = (told[reason] ?? 0) + count;
  },
});

/** Some events are longer than others, by anything up to the most that is accepted. */
const padding = (i) => "x".repeat(i % 500 === 0 ? Math.exp(Math.random() * Math.log(250_000)) : 0);
const texts = Array.from({ length: 20_000 }, (_, i) =>
  JSON.stringify({ ...makeEvent(i), padding: padding(i) }),
);
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));
const series = [];
const start = performance.now();

function sample(offered) {
  const { rss, heapUsed } = process.memoryUsage();
  const point = { seconds: (performance.now() - start) / 1000, offered, rss, heapUsed };
  series.push({ ...point, wasm: wasmBytes() });
}

async function offer(from, to) {
  for (let i = from; i < to; i++) {
    bus.ingestRaw(texts[i % texts.length]);
    if (i % TURN === TURN - 1) await nextTurn();
    if (i % Math.ceil(total / 24) === 0) sample(i);
  }
}

const warmUp = Math.floor(total / 50);
await offer(0, warmUp);
await bus.flush();
globalThis.gc();
const before = process.memoryUsage();
collector.send("fail");
await offer(warmUp, total);
await ask("recover");
await bus.flush();
sample(total);
const held = bus.stats();
await bus.close();
await nextTurn();
globalThis.gc();
const after = process.memoryUsage();
const stats = bus.stats();
const count = await ask("count");
collector.disconnect();
agent.destroy();

const mb = (bytes) => (bytes / 1e6).toFixed(1).padStart(7);
console.log(" seconds      offered  RSS MB  JS heap   wasm");
for (const { seconds, offered, rss, heapUsed, wasm } of series) {
  const columns = [seconds.toFixed(1).padStart(8), offered.toLocaleString("en").padStart(12)];
  console.log(...columns, mb(rss), mb(heapUsed), mb(wasm));
}
const { shards: _, ...accounts } = stats;
console.log({ ...accounts, told, collector: count });

const sum = (object) =>
  typeof object === "number" ? object : Object.values(object).reduce((all, n) => all + sum(n), 0);
const { offered, accepted, rejected, delivered, evicted, abandoned, drained } = stats;
const lost = sum(evicted) + sum(abandoned) + sum(rejected);
const most = (key) => Math.max(...series.map((point) => point[key]));
const rssBound = before.rss + WASM_BOUND + PROCESS_SLACK;
/** The conditions of a passed soak. */
const claims = {
  "every event was offered": offered === total,
  "nothing is left in the bus": held.pending === 0 && held.inFlight === 0,
  "what was accepted is delivered, or lost under a reason":
    accepted === delivered + sum(evicted) + sum(abandoned) + sum(drained),
  "what was offered is delivered or lost": offered === delivered + lost,
  "onDrop was told of every loss": sum(told) === lost,
  "the collector has what is delivered": count.events >= delivered,
  "the collector has no event twice": count.events <= delivered + sum(abandoned),
  "wasm memory was within its bound": most("wasm") <= WASM_BOUND,
  "RSS was within its bound": most("rss") <= rssBound,
  "RSS is back within its bound": after.rss <= rssBound,
  "the JS heap is back": after.heapUsed <= before.heapUsed + (2 << 20),
};
for (const [claim, holds] of Object.entries(claims))
  console.log(holds ? "ok    " : "FAILED", claim);
const rate = total / 1000 / (performance.now() - start);
console.log(`RSS before ${mb(before.rss)}, most ${mb(most("rss"))}, after ${mb(after.rss)} MB;`);
console.log(
  `wasm at most ${mb(most("wasm"))} of ${mb(WASM_BOUND)} MB; ${rate.toFixed(2)} M events/s`,
);
process.exit(Object.values(claims).every(Boolean) ? 0 : 1);

// Ingests the events of each request, and hands on the queue's messages. Some calls of the queue
// fail, one in five: half of them before the messages are in it, half after.
import { env } from "cloudflare:workers";
import { EventBus } from "shardbus";
import { cloudflareQueuesSink } from "shardbus/sinks/cloudflare-queues";

let calls = 0;
let failed = 0;
let state = 1;

/** A number from 0 up to 1; the same ones in each run (mulberry32). */
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

const failing = (queue) => ({
  async sendBatch(messages) {
    calls++;
    const fate = random();
    if (fate < 0.2) failed++;
    if (fate < 0.1) throw new Error("Queue sendBatch failed: Too Many Requests");
    await queue.sendBatch(messages);
    if (fate < 0.2) throw new Error("Network connection lost.");
  },
});

const bus = new EventBus(cloudflareQueuesSink(failing(env.EVENTS)), {
  shards: 4,
  key: ({ user }) => user,
  retry: { baseDelayMs: 1, maxDelayMs: 1 },
});

export default {
  async fetch(request) {
    const { accepted } = bus.ingestBatch(await request.json());
    const { delivered } = await bus.flush();
    return Response.json({ accepted, delivered, calls, failed });
  },

  async queue(batch) {
    const body = JSON.stringify(batch.messages.map((message) => message.body));
    await env.COLLECTOR.fetch("http://collector/", { method: "POST", body });
  },
};

// @ts-check
import assert from "node:assert/strict";
import { DeliveryError, EventBus } from "shardbus";
import { cloudflareQueuesSink } from "shardbus/sinks/cloudflare-queues";
import { httpSink } from "shardbus/sinks/http";
import { natsSink } from "shardbus/sinks/nats";
import { redisSink } from "shardbus/sinks/redis";

// No engine's client is installed here.
/** @type {unknown[]} */
const taken = [];
const sinks = [
  httpSink("https://a.example/", {
    fetch: async (_, { body }) => {
      taken.push(body);
      return new Response();
    },
  }),
  natsSink({ publish: async (...args) => taken.push(args) }, "events"),
  redisSink({ eval: async (...args) => taken.push(args) }, "events"),
  cloudflareQueuesSink({ sendBatch: async (messages) => taken.push(messages) }),
];
for (const sink of sinks) {
  const bus = new EventBus(sink);
  bus.ingest({ n: 1 });
  await bus.close();
}
assert.equal(taken.length, sinks.length);

// The sinks share their errors with the bus.
const failing = redisSink({ eval: () => Promise.reject(new Error("gone")) }, "events");
const batch = /** @type {any} */ ({ id: "a-0-0", shard: 0, sequence: 0, *[Symbol.iterator]() {} });
const context = { signal: new AbortController().signal, attempt: 1, keepalive: false };
await assert.rejects(async () => failing(batch, context), DeliveryError);

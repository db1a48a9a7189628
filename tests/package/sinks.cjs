// @ts-check
const assert = require("node:assert/strict");
const { EventBus } = require("shardbus");
const { cloudflareQueuesSink } = require("shardbus/sinks/cloudflare-queues");
const { httpSink } = require("shardbus/sinks/http");
const { natsSink } = require("shardbus/sinks/nats");
const { redisSink } = require("shardbus/sinks/redis");

let stored = 0;
const bus = new EventBus(redisSink({ eval: async () => ++stored }, "events"));
bus.ingest({ n: 1 });
bus.close().then(() => assert.equal(stored, 1));
for (const sink of [cloudflareQueuesSink, httpSink, natsSink])
  assert.equal(typeof sink, "function");

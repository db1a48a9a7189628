// What a program says that uses every entry, in every configuration. What is a type of the platform is
// only passed on.
import { type Batch, DeliveryError, EventBus, type HttpResponse } from "shardbus";
import module from "shardbus/bus.wasm";
import { EventBus as JsBus } from "shardbus/js";
import { installShutdownHooks } from "shardbus/shutdown";
import { cloudflareQueuesSink, type QueueProducer } from "shardbus/sinks/cloudflare-queues";
import { httpSink, refuseHtml } from "shardbus/sinks/http";
import { type KafkaProducer, kafkaSink } from "shardbus/sinks/kafka";
import { type JetStreamPublisher, natsSink, type ShardName } from "shardbus/sinks/nats";
import { type ObjectBucket, r2Sink } from "shardbus/sinks/r2";
import { type RedisEvaluator, redisSink } from "shardbus/sinks/redis";
import { initialize, EventBus as SlimBus } from "shardbus/slim";
import { fileStore } from "shardbus/stores/fs";
import { indexedDbStore } from "shardbus/stores/indexeddb";

declare const send: (body: Uint8Array, signal: unknown) => Promise<HttpResponse>;

interface Click {
  readonly user: string;
}

export const bus = new EventBus<Click>(
  async (batch, { signal }) => {
    const response = await send(batch.body, signal);
    if (response.status >= 400) throw DeliveryError.fromResponse(response);
  },
  { store: fileStore("outbox"), key: ({ user }) => user },
);
export const accepted: boolean = bus.ingest({ user: "a" });
// @ts-expect-error an event of another shape
bus.ingest({ name: "a" });
export const users: string[] = [];
declare const batch: Batch<Click>;
users.push(...batch.events().map(({ user }) => user), ...batch);

initialize(module);
export const buses = [
  new JsBus(() => {}, { store: indexedDbStore() }),
  new SlimBus<Click>(() => {}),
];
// A bus is the same class, whichever entry it is from.
export const one: EventBus = new JsBus(() => {});
installShutdownHooks([bus, ...buses]);

declare const clients: QueueProducer & KafkaProducer & JetStreamPublisher & ObjectBucket;
declare const redis: RedisEvaluator;
const name: ShardName = (shard) => `clicks-${shard}`;
export const sinks = [
  cloudflareQueuesSink(clients),
  httpSink("https://collector.example", { check: refuseHtml, headers: { a: "b" } }),
  kafkaSink(clients, "clicks", { partitions: 4 }),
  natsSink(clients, name),
  r2Sink(clients),
  redisSink(redis, name),
];

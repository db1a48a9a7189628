import { type BatchStore, EventBus } from "shardbus";
import { observeBus } from "shardbus/otel";
import { installShutdownHooks } from "shardbus/shutdown";
import { cloudflareQueuesSink, type QueueProducer } from "shardbus/sinks/cloudflare-queues";
import { httpSink } from "shardbus/sinks/http";
import { type JetStreamPublisher, natsSink } from "shardbus/sinks/nats";
import { type RedisEvaluator, redisSink } from "shardbus/sinks/redis";
import { initialize, EventBus as SlimEventBus } from "shardbus/slim";
import { fileStore } from "shardbus/stores/fs";
import { indexedDbStore } from "shardbus/stores/indexeddb";

interface Click {
  user: string;
}

const send = async (users: string[]): Promise<void> => console.log(users);

export const bus = new EventBus<Click>((batch) => send(batch.events().map(({ user }) => user)));
export const accepted: boolean = bus.ingest({ user: "a" });
// @ts-expect-error an event of another shape
bus.ingest({ name: "a" });

export function start(module: WebAssembly.Module): SlimEventBus<Click> {
  initialize(module);
  return new SlimEventBus<Click>((batch) => send([batch.id]));
}

export const stores: BatchStore[] = [
  fileStore("outbox"),
  fileStore({ directory: new URL("file:///outbox") }),
  indexedDbStore(),
  indexedDbStore({ name: "clicks" }),
];
// @ts-expect-error a directory is needed
fileStore({});

export const takeAway: () => void = installShutdownHooks(bus);
installShutdownHooks([bus], { timeoutMs: 1000, signals: ["SIGTERM"] });
// @ts-expect-error no such signal
installShutdownHooks([bus], { signals: ["SIGKILL"] });

declare const meter: Parameters<typeof observeBus>[1];
export const endObserving: () => void = observeBus(bus, meter, { name: "clicks" });

export const sinks = (js: JetStreamPublisher, redis: RedisEvaluator, queue: QueueProducer) => [
  new EventBus<Click>(httpSink("/clicks", { gzip: true, init: { credentials: "include" } })),
  new EventBus<Click>(natsSink(js, "clicks", { exclusive: true })),
  new EventBus<Click>(redisSink(redis, (shard) => `clicks-${shard}`, { maxLength: 1e6 })),
  new EventBus<Click>(cloudflareQueuesSink(queue)),
];

// A program that uses every entry but `otel` and `opentelemetry`, in every configuration. Types of the platform are only
// passed on.
import {
  type Batch,
  type BatchOptions,
  DeliveryError,
  type DeliveryErrorOptions,
  type DrainOptions,
  EventBus,
  type EventBusOptions,
  type EventOutcomes,
  type HttpResponse,
  type IngestOptions,
  type RetryOptions,
  type ScalingOptions,
  type WaitOptions,
} from "shardbus";
import module from "shardbus/bus.wasm";
import { evlogDrain } from "shardbus/evlog";
import { type HonoContext, requestEvents } from "shardbus/hono";
import { EventBus as JsBus } from "shardbus/js";
import { logtapeSink } from "shardbus/logtape";
import { pinoDestination, pinoTransport } from "shardbus/pino";
import { installShutdownHooks, type ShutdownOptions } from "shardbus/shutdown";
import { firehoseSink, kinesisSink, sqsSink } from "shardbus/sinks/aws";
import {
  cloudflarePipelinesSink,
  type PipelineProducer,
} from "shardbus/sinks/cloudflare-pipelines";
import {
  cloudflareQueuesSink,
  type QueuedEvents,
  type QueueProducer,
} from "shardbus/sinks/cloudflare-queues";
import { type HttpSinkOptions, httpSink, refuseHtml } from "shardbus/sinks/http";
import { type KafkaProducer, kafkaSink } from "shardbus/sinks/kafka";
import { type JetStreamPublisher, natsSink, type ShardName } from "shardbus/sinks/nats";
import { type PostgresClient, postgresSink } from "shardbus/sinks/postgres";
import {
  axiomSink,
  clickhouseSink,
  datadogSink,
  elasticsearchSink,
  lokiSink,
  newRelicSink,
  splunkSink,
} from "shardbus/sinks/presets";
import { type ObjectBucket, r2Sink } from "shardbus/sinks/r2";
import { type RedisEvaluator, redisSink } from "shardbus/sinks/redis";
import { type SigningClient, s3Sink } from "shardbus/sinks/s3";
import { initialize, EventBus as SlimBus } from "shardbus/slim";
import { customStore } from "shardbus/stores/custom";
import { fileStore } from "shardbus/stores/fs";
import { indexedDbStore } from "shardbus/stores/indexeddb";
import { type SealingKey, sealedStore } from "shardbus/stores/sealed";
import { type PullBus, pullBus, writableTo } from "shardbus/streams";
import { winstonTransport } from "shardbus/winston";

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

// An optional value may be `undefined`.
declare const maybe: { id: string | undefined; ms: number | undefined; on: boolean | undefined };
bus.ingest({ user: "a" }, { key: maybe.id });
void bus.flush({ timeoutMs: maybe.ms, signal: undefined });
bus.drain({ maxBytes: maybe.ms });
new DeliveryError("no", { retryAfterMs: maybe.ms, retryable: maybe.on, status: maybe.ms });
httpSink("/events", { gzip: maybe.on, headers: undefined });

/** The names of options that must be left out instead. */
type Strict<Options> = {
  [Name in keyof Options]-?: Record<never, never> extends Pick<Options, Name>
    ? { [N in Name]: undefined } extends Pick<Options, Name>
      ? never
      : Name
    : never;
}[keyof Options];
export type Strictest =
  | Strict<EventBusOptions>
  | Strict<BatchOptions>
  | Strict<RetryOptions>
  | Strict<ScalingOptions>
  | Strict<IngestOptions>
  | Strict<WaitOptions>
  | Strict<DrainOptions>
  | Strict<DeliveryErrorOptions>
  | Strict<EventOutcomes>
  | Strict<HttpSinkOptions>
  | Strict<ShutdownOptions>;
declare const strictest: Strictest;
export const nothing: never = strictest;

initialize(module);
export const buses = [
  new JsBus(() => {}, { store: indexedDbStore() }),
  new SlimBus<Click>(() => {}),
];
// A bus is the same class, whichever entry it is from.
export const one: EventBus = new JsBus(() => {});
installShutdownHooks([bus, ...buses]);

declare const clients: QueueProducer &
  KafkaProducer &
  JetStreamPublisher &
  ObjectBucket &
  SigningClient;
declare const redis: RedisEvaluator;
declare const pipeline: PipelineProducer;
declare const postgres: PostgresClient;
const name: ShardName = (shard) => `clicks-${shard}`;
export const sinks = [
  cloudflareQueuesSink(clients),
  cloudflareQueuesSink(
    { sendBatch: async (_: Iterable<{ body: QueuedEvents }>) => {} },
    { pack: true },
  ),
  cloudflarePipelinesSink(pipeline, { idField: maybe.id }),
  httpSink("https://collector.example", { check: refuseHtml, headers: { a: "b" } }),
  kafkaSink(clients, "clicks", { partitions: 4 }),
  natsSink(clients, name),
  axiomSink({ dataset: "clicks", token: "t", url: maybe.id }),
  clickhouseSink("http://clickhouse:8123", { table: "clicks", database: maybe.id }),
  datadogSink({ apiKey: "k", site: maybe.id }),
  elasticsearchSink("https://search.example", { index: "clicks", gzip: maybe.on }),
  lokiSink<Click>("http://loki:3100", { labels: ({ user }) => ({ user }) }),
  newRelicSink({ licenseKey: "k", region: "EU" }),
  splunkSink("https://splunk.example", { token: "t", host: maybe.id }),
  postgresSink(postgres, "clicks", { schema: maybe.id }),
  r2Sink(clients),
  redisSink(redis, name),
  sqsSink(clients, "https://sqs.example/1/clicks"),
  kinesisSink<Click>(clients, "https://kinesis.example", "clicks", {
    partitionKey: ({ user }) => user,
  }),
  firehoseSink(clients, "https://firehose.example", "clicks"),
  s3Sink(clients, "https://bucket.example", { gzip: maybe.on }),
];

declare const log: EventBus;
declare class Transport {
  constructor(options: { level?: string });
}
export const transport: Transport = winstonTransport(Transport, log, { level: maybe.id });
export const loggers = [
  pinoDestination(bus),
  pinoTransport(bus, { timeoutMs: maybe.ms }),
  logtapeSink(log),
  evlogDrain(log),
  requestEvents(log, { fields: ({ req }: HonoContext) => req, serverTiming: maybe.on }),
];

export const stream = writableTo(log, { raw: maybe.on });
export const pulled: PullBus<Click> = pullBus(EventBus<Click>, { timeoutMs: maybe.ms });
export async function loop(): Promise<void> {
  for await (const { id, attempt, settle } of pulled) {
    settle({ rejected: [{ index: attempt, error: id }] });
  }
}

declare const sealingKey: SealingKey;
export const sealed = sealedStore(fileStore("outbox"), sealingKey);
const { open, read, write, remove } = sealed;
export const custom = new EventBus(() => {}, { store: customStore({ open, read, write, remove }) });

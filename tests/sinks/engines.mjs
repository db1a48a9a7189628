// @ts-check

// Every event that a bus accepted is in the engine once, and in order, though the engine is killed
// and started again while they come. A program of its own, because `node:test` follows each
// promise, which costs more than the bus does. `node engines.mjs redis` runs the engines with that
// in their names.
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import postgres from "postgres";
import { createClient } from "redis";
import { httpSink } from "shardbus/sinks/http";
import { natsSink } from "shardbus/sinks/nats";
import { postgresSink } from "shardbus/sinks/postgres";
import { redisSink } from "shardbus/sinks/redis";
import { assert, within } from "../js/harness.mjs";
import { printTable } from "../table.mjs";
import { assertComplete, EVENTS, flood, SHARDS, withoutRepetitions } from "./flood.mjs";
import { floodKafka } from "./kafka.mjs";
import { connectPostgres, postgresAddress, startPostgres } from "./postgres-server.mjs";
import { startProxy } from "./proxy.mjs";
import { floodQueue } from "./queues.mjs";
import { floodR2 } from "./r2.mjs";
import { startCollector, startNats, startRedis } from "./servers.mjs";

/** @typedef {import("./flood.mjs").Found} Found */
/** @typedef {{ seconds: number, attempts: number, retries: number, repeated: number }} Run */

async function throughNats() {
  const server = await startNats();
  const proxy = await startProxy(server.port);
  const connection = await connect({
    port: proxy.port,
    reconnectTimeWait: 20,
    maxReconnectAttempts: -1,
    noAsyncTraces: true,
  });
  try {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "events", subjects: ["events.*"] });
    const js = jetstream(connection, { timeout: 500 });
    const run = await flood(natsSink(js, "events"), server, proxy);

    const { messages: stored } = (await manager.streams.info("events")).state;
    /** @type {Found[]} */
    const found = [];
    const consumer = await js.consumers.get("events");
    const readAll = async () => {
      for await (const message of await consumer.consume({ max_messages: 5000 })) {
        const shard = Number(message.subject.slice("events.".length));
        const id = String(message.headers?.get("Nats-Msg-Id"));
        found.push({ shard, id, event: JSON.parse(message.string()) });
        if (found.length === stored) break;
      }
    };
    await within(readAll(), () => `${found.length} of ${stored} messages are read`, 60_000);
    // The server has left out repetitions.
    assertComplete(found);
    return { ...run, repeated: found.length - EVENTS };
  } finally {
    await connection.close();
    await proxy.stop();
    await server.stop();
  }
}

async function throughPostgres() {
  const server = await startPostgres();
  const proxy = await startProxy(server.port);
  const client = postgres({ ...postgresAddress(proxy), onnotice() {}, backoff: () => 0.02 });
  try {
    const admin = await connectPostgres(server);
    await admin`CREATE TABLE events (place serial, id text PRIMARY KEY, event jsonb NOT NULL)`;
    await admin.end();
    const run = await flood(postgresSink(client, "events"), server, proxy);

    const rows = await client`SELECT id, event FROM events ORDER BY place`;
    // The key has left out repetitions.
    assertComplete(rows.map(({ id, event }) => ({ shard: Number(id.split("-")[1]), id, event })));
    return { ...run, repeated: rows.length - EVENTS };
  } finally {
    await client.end({ timeout: 1 });
    await proxy.stop();
    await server.stop();
  }
}

async function throughRedis() {
  const server = await startRedis();
  const proxy = await startProxy(server.port);
  const socket = { port: proxy.port, reconnectStrategy: 20 };
  const client = createClient({ socket }).on("error", () => {});
  await client.connect();
  try {
    const run = await flood(redisSink(client, "events"), server, proxy);

    /** @type {Found[]} */
    const found = [];
    for (let shard = 0; shard < SHARDS; shard++) {
      for (const entry of (await client.xRange(`events:${shard}`, "-", "+")) ?? []) {
        const { id = "", event = "" } = entry?.message ?? {};
        found.push({ shard, id, event: JSON.parse(event) });
      }
    }
    // The script has left out repetitions.
    assertComplete(found);
    return { ...run, repeated: found.length - EVENTS };
  } finally {
    client.destroy();
    await proxy.stop();
    await server.stop();
  }
}

/** @param {boolean} gzip */
async function throughHttp(gzip) {
  const server = await startCollector();
  const proxy = await startProxy(server.port);
  try {
    const sink = httpSink(`http://127.0.0.1:${proxy.port}/`, { gzip });
    const run = await flood(sink, server, proxy);

    const found = await readBatches(join(server.directory, "batches.ndjson"));
    assertComplete(withoutRepetitions(found));
    return { ...run, repeated: found.length - EVENTS };
  } finally {
    await proxy.stop();
    await server.stop();
  }
}

/** The collected events, in the order of their arrival. @param {string} file */
async function readBatches(file) {
  /** @type {Found[]} */
  const found = [];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    // A line may be cut off where the collector was killed.
    if (!line.endsWith("}")) continue;
    const { id, body } = JSON.parse(line);
    const [, shard, sequence] = id.split("-").map(Number);
    body.split("\n").forEach((/** @type {string} */ text, /** @type {number} */ i) => {
      found.push({ shard, id: `${shard}-${sequence + i}`, event: JSON.parse(text) });
    });
  }
  return found;
}

async function throughQueues() {
  const { messages, calls, failed, seconds } = await floodQueue();
  const once = [...withoutRepetitions(messages)];
  // A queue promises no order, so each message says where it belongs.
  const ordered = once.sort((a, b) => a.shard - b.shard || a.sequence - b.sequence);
  assertComplete(ordered);
  ordered.forEach(({ shard, sequence }, i) => {
    const before = ordered[i - 1];
    assert.equal(sequence, before?.shard === shard ? before.sequence + 1 : 0);
  });
  return { seconds, attempts: calls, retries: failed, repeated: messages.length - EVENTS };
}

async function throughKafka() {
  const { found, run } = await floodKafka();
  assertComplete(withoutRepetitions(found));
  return { ...run, repeated: found.length - EVENTS };
}

async function throughR2() {
  const { found, run } = await floodR2();
  // Repetitions have the same key.
  assertComplete(found);
  return { ...run, repeated: found.length - EVENTS };
}

/** @type {Record<string, () => Promise<Run>>} */
const engines = {
  "NATS JetStream": throughNats,
  "Redis streams": throughRedis,
  PostgreSQL: throughPostgres,
  HTTP: () => throughHttp(false),
  "HTTP, gzip": () => throughHttp(true),
  "Cloudflare's queues": throughQueues,
  "Kafka's protocol": throughKafka,
  R2: throughR2,
};

const wanted = process.argv[2]?.toLowerCase() ?? "";
const rows = [["engine", "events/s", "seconds", "attempts", "retries", "repeated events"]];
for (const [name, through] of Object.entries(engines)) {
  if (!name.toLowerCase().includes(wanted)) continue;
  const { seconds, ...counts } = await through();
  assert.isAbove(counts.retries, 0, `${name}: nothing failed`);
  const rate = Math.round(EVENTS / seconds).toLocaleString("en");
  const { attempts, retries, repeated } = counts;
  rows.push([name, rate, seconds.toFixed(1), ...[attempts, retries, repeated].map(String)]);
}
printTable(rows);

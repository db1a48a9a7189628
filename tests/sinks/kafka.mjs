// @ts-check

// The protocol of Kafka, as far as a mock broker speaks it: librdkafka's, which `kcat` has. It is
// in memory, so connections are killed here, not the broker. Nor does it know idempotent producers,
// so the client is none.
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import kafkajs from "kafkajs";
import { kafkaSink } from "shardbus/sinks/kafka";
import { within } from "../js/harness.mjs";
import { EVENTS, flood } from "./flood.mjs";
import { startProxy } from "./proxy.mjs";

/** The mock broker makes topics with so many. */
const PARTITIONS = 4;

/**
 * The limit of the consumer's wait for the next event, and of the broker's start, in milliseconds.
 */
const SILENCE_MS = 60_000;

/** The most events that are sent before the consumer has seen them. */
const MAX_AHEAD = 80_000;

/** Sends all events through Kafka; returns the events of its partitions, and a summary. */
export async function floodKafka() {
  const broker = await startBroker();
  const proxy = await startProxy(broker.port);
  const options = {
    brokers: [`127.0.0.1:${broker.port}`],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 0 },
  };
  // The broker names its own port to its clients.
  const socketFactory = (/** @type {kafkajs.ISocketFactoryArgs} */ { onConnect }) =>
    connect(proxy.port, "127.0.0.1", onConnect);
  const producer = new kafkajs.Kafka({ ...options, socketFactory }).producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  const consumer = new kafkajs.Kafka(options).consumer({ groupId: "test" });
  try {
    await producer.connect();
    // Consumed while they come: the broker keeps the last megabytes of a partition alone.
    const seen = new EventEmitter();
    const consumed = consume(consumer, seen);
    const sink = kafkaSink(producer, "events", { partitions: PARTITIONS });
    let [sent, received] = [0, 0];
    seen.on("event", (count) => {
      received = count;
    });
    /** @type {typeof sink} */
    const pacedSink = async (batch, context) => {
      while (sent - received > MAX_AHEAD) {
        const more = once(seen, "event");
        await within(more, () => `the consumer stays at event ${received}`, SILENCE_MS);
      }
      await sink(batch, context);
      sent += batch.count;
    };
    const server = { kill: async () => {}, start: async () => {} };
    const run = await flood(pacedSink, server, proxy);
    const found = await within(consumed, () => `${received} events were consumed`, SILENCE_MS);
    return { found, run };
  } finally {
    await consumer.disconnect();
    await producer.disconnect();
    await proxy.stop();
    await broker.stop();
  }
}

/**
 * All events, in the order of their partitions, as soon as each was there.
 *
 * @param {kafkajs.Consumer} consumer
 * @param {EventEmitter} seen emits `event` with how many there are
 */
async function consume(consumer, seen) {
  /** @type {import("./flood.mjs").Found[]} */
  const found = [];
  const ids = new Set();
  await consumer.connect();
  await consumer.subscribe({ topic: "events", fromBeginning: true });
  await new Promise((resolve, reject) => {
    const eachMessage = async (
      /** @type {kafkajs.EachMessagePayload} */ { partition, message },
    ) => {
      const id = String(message.headers?.id);
      ids.add(id);
      found.push({ shard: partition, id, event: JSON.parse(String(message.value)) });
      seen.emit("event", ids.size);
      if (ids.size === EVENTS) resolve(undefined);
    };
    consumer.run({ eachMessage }).catch(reject);
  });
  return found;
}

/** The broker in a consumer that has nothing to consume. It says on which port. */
async function startBroker() {
  const args = ["-C", "-b", "mock", "-X", "test.mock.num.brokers=1", "-d", "mock", "-t", "idle"];
  const child = spawn("kcat", args, { stdio: ["ignore", "ignore", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const exit = once(child, "exit");
  const stop = async () => {
    process.off("exit", kill);
    kill();
    await exit;
  };
  const told = async () => {
    for await (const line of createInterface({ input: child.stderr })) {
      const port = /bootstrap\.servers=127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port !== undefined) return Number(port);
    }
    throw new Error("kcat ended before it had a broker");
  };
  try {
    const port = await within(told(), () => "kcat does not say where its broker is", SILENCE_MS);
    child.stderr.resume();
    return { port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

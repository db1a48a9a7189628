// @ts-check

// A producer for Node, Deno and Bun: offers its share of the flights to a bus, which publishes them
// to JetStream. Each line that it prints is a `Progress`.
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { EventBus } from "shardbus";
import { natsSink } from "shardbus/sinks/nats";
import { produce } from "../flights/produce.mjs";
import { flightsOf } from "./share.mjs";

/**
 * A producer's report. `refusals` counts the times that its bus was full, so that it waited and
 * offered the event again.
 *
 * @typedef {{ stats: import("shardbus").BusStats, refusals?: number }} Progress
 */

const { NATS, NAME, FROM, COUNT } = process.env;

const connection = await connect({ servers: NATS, maxReconnectAttempts: -1 });

const bus = new EventBus(natsSink(jetstream(connection), `flights.${NAME}`), {
  shards: 4,
  capacity: 1024, // so little that the producer has to wait for JetStream
  backpressure: "drop-newest",
  key: (/** @type {import("../flights/flights.mjs").Flight} */ { origin }) => origin,
  batch: { minSize: 100, maxSize: 500, maxDelayMs: 50 },
  retry: { maxDelayMs: 2000 },
  onDrop: ({ reason, count }) => {
    if (reason !== "full") console.error(`${NAME}: ${count} events were lost: ${reason}.`);
  },
});

/** @param {number} [refusals] */
const tell = (refusals) => console.log(JSON.stringify({ stats: bus.stats(), refusals }));

const flights = await flightsOf({ from: Number(FROM), count: Number(COUNT) });
tell();
const telling = setInterval(tell, 200);
const refusals = await produce(bus, flights);
await bus.close({ timeoutMs: 60_000 });
clearInterval(telling);
tell(refusals);
await connection.close();

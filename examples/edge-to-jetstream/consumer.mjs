// @ts-check

// One of the consumers of a group: takes messages from JetStream into a bus, which hands them on to
// the collector, and acknowledges them once it has them. Each line that it prints is a `Progress`.
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";

/** @typedef {{ stats: import("shardbus").BusStats }} Progress */
/**
 * A message as the collector gets it.
 * @typedef {{ id: string, subject: string, sequence: number, event: unknown }} Line
 */

const { NATS, NAME, COLLECTOR = "" } = process.env;

const connection = await connect({ servers: NATS, maxReconnectAttempts: -1 });
const group = await jetstream(connection).consumers.get("flights", "collector");

/** Those in the bus. It has one shard, so they leave as they came. @type {import("@nats-io/jetstream").JsMsg[]} */
const messages = [];
const send = httpSink(COLLECTOR);
const bus = new EventBus(
  async (batch, context) => {
    await send(batch, context);
    for (const message of messages.splice(0, batch.count)) message.ack();
  },
  {
    capacity: 1024, // what is here is not with the others
    backpressure: "drop-newest",
    batch: { minSize: 100, maxSize: 250, maxDelayMs: 50 },
    retry: { maxDelayMs: 2000 },
    onDrop: ({ batch, count, reason }) => {
      if (batch === undefined) return; // no room: it is offered again
      console.error(`${NAME}: ${count} messages go back to JetStream: ${reason}.`);
      for (const message of messages.splice(0, count)) message.nak();
    },
  },
);

const taking = await group.consume({ max_messages: 500 });
process.once("SIGTERM", () => taking.close());
const telling = setInterval(tell, 200);
for await (const message of taking) {
  while (!bus.ingest(lineOf(message))) await bus.ready();
  messages.push(message);
}
await bus.close({ timeoutMs: 5000 });
clearInterval(telling);
tell();
await connection.drain(); // with the acknowledgements that are still here

/** With all that is needed to know it again, and to put it in order. @param {import("@nats-io/jetstream").JsMsg} message */
function lineOf(message) {
  const id = message.headers?.get("Nats-Msg-Id");
  const { subject, seq: sequence } = message;
  return { id, subject, sequence, event: message.json() };
}

function tell() {
  console.log(JSON.stringify({ stats: bus.stats() }));
}

// @ts-check

// One raw payload costs nobody else's event, through any sink: it looks like two events, or is no
// JSON, between events of others.
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createClient } from "redis";
import { EventBus } from "shardbus";
import { cloudflareQueuesSink } from "shardbus/sinks/cloudflare-queues";
import { httpSink } from "shardbus/sinks/http";
import { kafkaSink } from "shardbus/sinks/kafka";
import { natsSink } from "shardbus/sinks/nats";
import { axiomSink, clickhouseSink, splunkSink } from "shardbus/sinks/presets";
import { r2Sink } from "shardbus/sinks/r2";
import { redisSink } from "shardbus/sinks/redis";
import { assert, test } from "../js/harness.mjs";
import { startReceiver } from "./http-server.mjs";
import { startNats, startRedis } from "./servers.mjs";

const payloads = ['{"n":0}', '{"evil":1},{"evil":2}', '{"n":1}', "not JSON", '{"n":2}'];

/** @typedef {{ id: string, text: string }} Found */

/** Sends the payloads. @param {import("shardbus").DeliveryCallback} sink @param {"ndjson" | "json"} format */
async function send(sink, format) {
  /** @type {string[]} */
  const reasons = [];
  const bus = new EventBus(sink, {
    format,
    onDrop: ({ reason, error }) => reasons.push(`${reason} ${/** @type {any} */ (error)?.message}`),
  });
  for (const payload of payloads) bus.ingestRaw(payload);
  await bus.close();
  return { ...bus.stats(), reasons };
}

/** Sinks that hand events on one by one: each has all payloads, under their own ids. @type {{ [sink: string]: (format: "ndjson" | "json") => Promise<{ stats: Awaited<ReturnType<typeof send>>, found: Found[] }> }} */
const oneByOne = {
  async nats(format) {
    const server = await startNats();
    const connection = await connect({ port: server.port });
    try {
      const { streams } = await jetstreamManager(connection);
      await streams.add({ name: "events", subjects: ["events.*"] });
      const stats = await send(natsSink(jetstream(connection), "events"), format);
      const found = [];
      for (let seq = 1; seq <= (await streams.info("events")).state.last_seq; seq++) {
        const message = await streams.getMessage("events", { seq });
        const id = String(message?.header.get("Nats-Msg-Id"));
        found.push({ id, text: String(message?.string()) });
      }
      return { stats, found };
    } finally {
      await connection.close();
      await server.stop();
    }
  },
  async redis(format) {
    const server = await startRedis();
    const client = createClient({ socket: { port: server.port } });
    await client.connect();
    try {
      const stats = await send(redisSink(client, "events"), format);
      const entries = /** @type {any[]} */ (await client.xRange("events:0", "-", "+"));
      return { stats, found: entries.map(({ message: { id, event } }) => ({ id, text: event })) };
    } finally {
      client.destroy();
      await server.stop();
    }
  },
  async kafka(format) {
    /** @type {Found[]} */
    const found = [];
    const producer = {
      /** @param {{ messages: { value: string, headers: { id: string } }[] }} record */
      async send({ messages }) {
        found.push(...messages.map(({ value, headers }) => ({ id: headers.id, text: value })));
      },
    };
    const stats = await send(kafkaSink(producer, "events", { partitions: 1 }), format);
    return { stats, found };
  },
};

for (const format of /** @type {const} */ (["ndjson", "json"])) {
  for (const [sink, through] of Object.entries(oneByOne)) {
    test(`${sink} has each raw payload as one event, under its own id: ${format}`, async () => {
      const { stats, found } = await through(format);
      assert.equal(stats.delivered, payloads.length);
      const expected = payloads.map((text, n) => ({ id: `${stats.runId}-0-${n}`, text }));
      assert.deepEqual(found, expected);
    });
  }

  test(`a queue gets every event that is JSON, and the others are abandoned alone: ${format}`, async () => {
    /** @type {unknown[]} */
    const bodies = [];
    const queue = {
      /** @param {Iterable<{ body: unknown }>} messages */
      async sendBatch(messages) {
        for (const { body } of messages) bodies.push(body);
      },
    };
    const { delivered, abandoned, batches, runId, reasons } = await send(
      cloudflareQueuesSink(queue),
      format,
    );
    const event = (/** @type {number} */ n) => {
      return { id: `${runId}-0-${2 * n}`, shard: 0, sequence: 2 * n, event: { n } };
    };
    assert.deepEqual(bodies, [event(0), event(1), event(2)]);
    assert.deepEqual([delivered, abandoned.permanent, batches.retries], [3, 2, 0]);
    assert.deepEqual(
      reasons,
      [1, 3].map((n) => `permanent The event ${runId}-0-${n} is not one JSON text`),
    );
  });
}

/**
 * Sinks that send bodies: their contents, as JSON, and the key or id of each.
 * @type {{ [sink: string]: (format: "ndjson" | "json") => Promise<{ stats:
 * Awaited<ReturnType<typeof send>>, bodies: string[] }> }}
 */
const inOneBody = {
  async http(format) {
    const receiver = await startReceiver();
    try {
      const stats = await send(httpSink(receiver.url), format);
      return { stats, bodies: receiver.requests.map(({ body }) => body) };
    } finally {
      await receiver.stop();
    }
  },
  async r2(format) {
    /** @type {string[]} */
    const bodies = [];
    const bucket = {
      /** @param {string} _ @param {Uint8Array} body */
      async put(_, body) {
        bodies.push(new TextDecoder().decode(body));
      },
    };
    return { stats: await send(r2Sink(bucket), format), bodies };
  },
};

/**
 * Presets that put events into a text of their own, each with the events that a receiver reads in a
 * request's body.
 * @type {[preset: string, sink: (url: string) => import("shardbus").DeliveryCallback, read: (body: string) => unknown[]][]}
 */
const presets = [
  ["Axiom", (url) => axiomSink({ dataset: "d", token: "t", url }), (body) => JSON.parse(body)],
  [
    "Splunk",
    (url) => splunkSink(url, { token: "t" }),
    (body) => body.split("\n").map((line) => JSON.parse(line).event),
  ],
  [
    "ClickHouse",
    (url) => clickhouseSink(url, { table: "t" }),
    // It takes commas between rows too, and arrays of rows.
    (body) => JSON.parse(`[${body.replaceAll("\n", ",")}]`).flat(),
  ],
];

for (const [preset, sink, read] of presets) {
  for (const format of /** @type {const} */ (["ndjson", "json"])) {
    test(`${preset} gets every event that is JSON, and the others are abandoned alone: ${format}`, async () => {
      const answers = payloads.map(
        () => (/** @type {any} */ response) => response.end('{"failed":0}'),
      );
      const receiver = await startReceiver(...answers, ...answers);
      try {
        const { delivered, abandoned } = await send(sink(receiver.url), format);
        const events = receiver.requests.flatMap(({ body }) => read(body));
        assert.deepEqual(events, [{ n: 0 }, { n: 1 }, { n: 2 }]);
        assert.deepEqual([delivered, abandoned.permanent], [3, 2]);
      } finally {
        await receiver.stop();
      }
    });
  }
}

for (const [sink, through] of Object.entries(inOneBody)) {
  test(`${sink} has every array whole, without the payloads that would spoil it`, async () => {
    const { stats, bodies } = await through("json");
    const events = bodies.flatMap((body) => JSON.parse(body));
    assert.deepEqual(events, [{ n: 0 }, { n: 1 }, { n: 2 }]);
    assert.equal(stats.delivered, 3);
    assert.equal(stats.abandoned.permanent, 2);
  });

  test(`${sink} has each raw payload as one line`, async () => {
    const { stats, bodies } = await through("ndjson");
    assert.deepEqual(bodies.join("\n").split("\n"), payloads);
    assert.equal(stats.delivered, payloads.length);
  });
}

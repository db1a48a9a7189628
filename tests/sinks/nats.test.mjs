// @ts-check
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { EventBus, InvalidOptionError } from "shardbus";
import { natsSink } from "shardbus/sinks/nats";
import { after, assert, before, test } from "../js/harness.mjs";
import { send } from "./send.mjs";
import { startNats } from "./servers.mjs";

/** @type {import("./servers.mjs").Server} */
let server;
/** @type {import("@nats-io/transport-node").NatsConnection} */
let connection;
before(async () => {
  server = await startNats();
  connection = await connect({ port: server.port });
});
after(async () => {
  await connection.close();
  await server.stop();
});

/** @param {string} name @param {object} [config] */
async function addStream(name, config) {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: [`${name}.*`], ...config });
  return {
    manager,
    /** The messages in the stream. */
    async messages() {
      const { first_seq, last_seq } = (await manager.streams.info(name)).state;
      const found = [];
      for (let seq = first_seq; seq <= last_seq; seq++) {
        const message = await manager.streams.getMessage(name, { seq });
        found.push({
          subject: message?.subject,
          id: message?.header.get("Nats-Msg-Id"),
          event: JSON.parse(message?.string() ?? "null"),
        });
      }
      return found;
    },
  };
}

test("a shard is a subject, an event a message with an id", async () => {
  const stream = await addStream("mapped");
  await send(natsSink(jetstream(connection), "mapped"), [1, 2, 3]);
  const found = await stream.messages();
  assert.deepEqual(
    found.map(({ subject, event }) => [subject, event]),
    [1, 2, 3].map((n) => ["mapped.0", n]),
  );
  found.forEach(({ id }, i) => {
    assert.match(String(id), new RegExp(`^[0-9a-f]{16}-0-${i}$`));
  });
});

test("a batch stored without an answer is not stored twice, nor are its halves", async () => {
  const stream = await addStream("twice");
  const js = jetstream(connection);
  let calls = 0;
  const sink = natsSink(
    {
      async publish(...args) {
        const ack = await js.publish(...args);
        // The answers of the first attempt are lost; of the second, the batch is too large.
        if (++calls <= 4) throw new Error("lost");
        if (calls <= 8) throw new Error("max_payload size exceeded");
        return ack;
      },
    },
    (shard) => `twice.${shard}`,
  );
  assert.equal((await send(sink, [1, 2, 3, 4])).delivered, 4);
  assert.deepEqual(
    (await stream.messages()).map(({ event }) => event),
    [1, 2, 3, 4],
  );
});

test("an event that the stream never takes is abandoned alone, and the rest stays in order", async () => {
  for (const exclusive of [false, true]) {
    const name = `sized-${exclusive}`;
    const stream = await addStream(name, { max_msg_size: 1000 });
    const events = [1, 2, "x".repeat(2000), 4, 5];
    const stats = await send(natsSink(jetstream(connection), name, { exclusive }), events);
    assert.equal(stats.delivered, 4);
    assert.equal(stats.abandoned.permanent, 1);
    assert.deepEqual(
      (await stream.messages()).map(({ event }) => event),
      [1, 2, 4, 5],
    );
  }
});

test("a stream that refuses some keeps the order, if it is exclusive or the window is 1", async () => {
  for (const options of [{ exclusive: true }, { window: 1 }]) {
    const name = `refusing-${Object.keys(options)[0]}`;
    const stream = await addStream(name);
    const js = jetstream(connection);
    let isFirst = true;
    /** Refuses event 3 once, as a full stream would. @type {import("shardbus/sinks/nats").JetStreamPublisher} */
    const refusing = {
      async publish(subject, payload, publishOptions) {
        if (payload !== "3" || !isFirst) return js.publish(subject, payload, publishOptions);
        isFirst = false;
        throw Object.assign(new Error("maximum messages exceeded"), { status: 503, code: 10077 });
      },
    };
    await send(natsSink(refusing, name, options), [1, 2, 3, 4, 5]);
    assert.deepEqual(
      (await stream.messages()).map(({ event }) => event),
      [1, 2, 3, 4, 5],
    );
  }
});

test("a subject that no stream takes yet is retried, a sealed stream is not", async () => {
  const js = jetstream(connection);
  /** @type {Promise<unknown> | undefined} */
  let added;
  const late = natsSink(js, "late");
  const stats = await send(
    async (batch, context) => {
      if (context.attempt === 2) added ??= addStream("late");
      await added;
      await late(batch, context);
    },
    [1],
  );
  assert.equal(stats.delivered, 1);

  const { manager } = await addStream("sealed");
  // It is among the server's options, but not among those of the types.
  await manager.streams.update("sealed", /** @type {object} */ ({ sealed: true }));
  assert.equal((await send(natsSink(js, "sealed"), [1])).abandoned.permanent, 1);
});

test("an attempt that was cut off publishes nothing more", async () => {
  const cut = new AbortController();
  /** @type {string[]} */
  const published = [];
  const sink = natsSink(
    {
      async publish(_, payload) {
        published.push(payload);
        cut.abort();
      },
    },
    "cut",
    { window: 2 },
  );
  const bus = new EventBus((batch, context) => sink(batch, { ...context, signal: cut.signal }), {
    retry: false,
    onDrop() {},
  });
  bus.ingestBatch([1, 2, 3]);
  await bus.close();
  assert.deepEqual(published, ["1", "2"]);
});

test("wrong arguments are named", () => {
  // @ts-expect-error the connection instead of its JetStream client
  assert.throws(() => natsSink({}, "a"), InvalidOptionError, "`js`");
  const js = jetstream(connection);
  assert.throws(() => natsSink(js, ""), InvalidOptionError, "`subject`");
  assert.throws(() => natsSink(js, "a", { window: 0 }), InvalidOptionError, "`window`");
});

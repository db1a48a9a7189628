// @ts-check
// Refusals of a broker, as the client reports them, which the mock broker of `engines.mjs` does not
// make.
import kafka from "kafkajs";
import { EventBus, InvalidOptionError } from "shardbus";
import { kafkaSink } from "shardbus/sinks/kafka";
import { assert, deferred, eventually, quickRetry, test, thrown } from "../js/harness.mjs";
import { send } from "./send.mjs";

/** Its types leave out some of its errors and of their options. */
const kafkajs = /** @type {any} */ (kafka);

/**
 * A producer that notes its messages, and fails as long as it has errors.
 * @param {Error[]} errors
 */
function fakeProducer(...errors) {
  /** @type {Parameters<import("shardbus/sinks/kafka").KafkaProducer["send"]>[0][]} */
  const calls = [];
  return {
    calls,
    /** @param {(typeof calls)[0]} record */
    async send(record) {
      calls.push(record);
      const error = errors.shift();
      if (error !== undefined) throw error;
    },
  };
}

/** The client's error for a code of the protocol. @param {number} code @param {string} type */
const refusal = (code, type) => new kafkajs.KafkaJSProtocolError({ code, type, message: type });

/** Sends two events. @param {import("shardbus/sinks/kafka").KafkaProducer} producer */
const sendTwo = (producer) =>
  send(kafkaSink(producer, "events", { partitions: 3 }), [{ n: 0 }, { n: 1 }]);

test("a batch is one request, and each of its messages has its id", async () => {
  const producer = fakeProducer();
  await sendTwo(producer);
  const [call] = producer.calls;
  assert.deepInclude(call, { topic: "events", acks: -1 });
  assert.deepEqual(
    call?.messages.map(({ partition, value }) => [partition, value]),
    [
      [0, '{"n":0}'],
      [0, '{"n":1}'],
    ],
  );
  call?.messages.forEach(({ headers }, n) => {
    assert.match(headers.id, new RegExp(`^[0-9a-f]{16}-0-${n}$`));
  });
});

test("a batch that the producer still retries is not sent twice", async () => {
  const answer = deferred();
  let calls = 0;
  /** As one does that waits for its brokers. */
  const producer = {
    async send() {
      calls++;
      await answer.promise;
    },
  };
  const options = { timeoutMs: 50, retry: quickRetry };
  const bus = new EventBus(kafkaSink(producer, "events", { partitions: 3 }), options);
  bus.ingest(1);
  const flushed = bus.flush();
  await eventually(
    () => bus.stats().batches.retries >= 4,
    () => "it is not retried",
    30_000,
  );
  answer.resolve();
  assert.equal((await flushed).delivered, 1);
  assert.equal(calls, 1);
  // The next batch is another one.
  bus.ingest(2);
  await bus.close();
  assert.equal(calls, 2);
});

test("a shard has one partition, if there are fewer as well", async () => {
  const producer = fakeProducer();
  const bus = new EventBus(kafkaSink(producer, "events", { partitions: 3 }), { shards: 8 });
  for (let n = 0; n < 200; n++) bus.ingest({ n });
  await bus.close();
  for (const { messages } of producer.calls) {
    const partitions = new Set(messages.map(({ partition }) => partition));
    const [shard] = messages.map(({ headers }) => Number(headers.id.split("-")[1]));
    assert.deepEqual([...partitions], [Number(shard) % 3]);
  }
});

for (const [error, what] of /** @type {[Error, string][]} */ ([
  [new kafkajs.KafkaJSConnectionClosedError("closed"), "a lost connection"],
  [refusal(3, "UNKNOWN_TOPIC_OR_PARTITION"), "a topic that is not there"],
  [refusal(7, "REQUEST_TIMED_OUT"), "a broker that takes too long"],
])) {
  test(`${what} is retried, also when the client gave up`, async () => {
    const gaveUp = new kafkajs.KafkaJSNumberOfRetriesExceeded(error, {
      retryCount: 5,
      retryTime: 100,
    });
    const producer = fakeProducer(error, gaveUp);
    assert.equal((await sendTwo(producer)).delivered, 2);
    assert.equal(producer.calls.length, 3);
  });
}

for (const error of [
  refusal(29, "TOPIC_AUTHORIZATION_FAILED"),
  refusal(17, "INVALID_TOPIC_EXCEPTION"),
]) {
  test(`${error.type} is permanent`, async () => {
    const producer = fakeProducer(error);
    assert.equal((await sendTwo(producer)).abandoned.permanent, 2);
  });
}

test("a batch that is too large is split in two", async () => {
  const producer = fakeProducer(refusal(10, "MESSAGE_TOO_LARGE"));
  assert.equal((await sendTwo(producer)).delivered, 2);
  assert.deepEqual(
    producer.calls.map(({ messages }) => messages.length),
    [2, 1, 1],
  );
});

for (const [args, option] of /** @type {[any[], string][]} */ ([
  [[{}, "events", { partitions: 1 }], "producer"],
  [[fakeProducer(), "", { partitions: 1 }], "topic"],
  [[fakeProducer(), "events", { partitions: 0 }], "partitions"],
  [[fakeProducer(), "events", {}], "partitions"],
  [[fakeProducer(), "events"], "options"],
])) {
  test(`without a valid \`${option}\`, there is no sink: ${JSON.stringify(args)}`, () => {
    const error = thrown(() => Reflect.apply(kafkaSink, undefined, args));
    assert.instanceOf(error, InvalidOptionError);
    assert.equal(error.option, option);
  });
}

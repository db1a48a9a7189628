// @ts-check
// The sinks for AWS, on moto, which has its services in memory, and at the boundary of their
// protocols for answers that moto never gives.
import { AwsClient } from "aws4fetch";
import { EventBus, InvalidOptionError } from "shardbus";
import { firehoseSink, kinesisSink, sqsSink } from "shardbus/sinks/aws";
import { s3Sink } from "shardbus/sinks/s3";
import { after, assert, before, quickRetry, test } from "../js/harness.mjs";
import { startReceiver } from "./http-server.mjs";
import { send } from "./send.mjs";
import { startMoto } from "./servers.mjs";

/** @type {import("./servers.mjs").Server} */
let server;
/** @type {string} */
let url;
before(async () => {
  server = await startMoto();
  url = `http://127.0.0.1:${server.port}`;
});
after(() => server?.stop());

/** @param {string} service */
const clientOf = (service) =>
  new AwsClient({
    accessKeyId: "id",
    secretAccessKey: "s",
    region: "us-east-1",
    service,
    retries: 0,
  });

/** @type {Record<string, [service: string, prefix: string]>} */
const APIS = {
  sqs: ["sqs", "AmazonSQS"],
  kinesis: ["kinesis", "Kinesis_20131202"],
  firehose: ["firehose", "Firehose_20150804"],
};

/** Calls an operation. @param {string} service @param {string} operation @param {object} parameters @returns {Promise<any>} */
async function call(service, operation, parameters) {
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `${APIS[service]?.[1]}.${operation}`,
  };
  const init = { method: "POST", headers, body: JSON.stringify(parameters) };
  const answer = await clientOf(service).fetch(url, init);
  const body = await answer.json().catch(() => ({}));
  assert.isTrue(answer.ok, `${operation}: ${JSON.stringify(body)}`);
  return body;
}

/** Makes a queue. @param {string} QueueName @param {object} [Attributes] @returns {Promise<string>} its address */
const makeQueue = async (QueueName, Attributes = {}) =>
  (await call("sqs", "CreateQueue", { QueueName, Attributes })).QueueUrl;

/** Takes all messages of a queue. @param {string} QueueUrl */
async function messages(QueueUrl) {
  const found = [];
  for (;;) {
    const options = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["All"] };
    const { Messages = [] } = await call("sqs", "ReceiveMessage", {
      ...options,
      AttributeNames: ["All"],
    });
    if (Messages.length === 0) return found;
    for (const { Body, MessageAttributes, Attributes, ReceiptHandle } of Messages) {
      await call("sqs", "DeleteMessage", { QueueUrl, ReceiptHandle });
      found.push({ text: Body, id: MessageAttributes.id.StringValue, ...Attributes });
    }
  }
}

const many = Array.from({ length: 25 }, (_, n) => ({ n, text: "é" }));

test("SQS: every event is a message with its id", async () => {
  const queue = await makeQueue("events");
  const { delivered, runId } = await send(sqsSink(clientOf("sqs"), queue), many);
  assert.equal(delivered, 25);
  const found = await messages(queue);
  assert.sameDeepMembers(
    found.map(({ id, text }) => ({ id, event: JSON.parse(text) })),
    many.map((event, n) => ({ id: `${runId}-0-${n}`, event })),
  );
});

test("SQS: a FIFO queue has a shard in order, and an event that is sent again once", async () => {
  const queue = await makeQueue("events.fifo", { FifoQueue: "true" });
  const client = clientOf("sqs");
  let calls = 0;
  /** Loses the answer to the second of three calls. */
  const losing = {
    /** @type {import("shardbus/sinks/aws").SigningClient["fetch"]} */
    async fetch(to, init) {
      const answer = await client.fetch(to, /** @type {any} */ (init));
      if (++calls === 2) throw new Error("no answer");
      return answer;
    },
  };
  assert.equal((await send(sqsSink(losing, queue), many)).delivered, 25);
  assert.equal(calls, 4, "the calls before the lost one are not repeated");
  const found = await messages(queue);
  assert.deepEqual(
    found.map(({ text }) => JSON.parse(text)),
    many,
  );
});

test("Kinesis: every event is a record, and a shard's are in order", async () => {
  await call("kinesis", "CreateStream", { StreamName: "clicks", ShardCount: 2 });
  const sink = kinesisSink(clientOf("kinesis"), url, "clicks");
  const { delivered, runId } = await send(sink, many);
  assert.equal(delivered, 25);
  const found = await records("clicks");
  assert.deepEqual(
    found.map(({ event }) => event),
    many,
  );
  assert.deepEqual([...new Set(found.map(({ key }) => key))], [`${runId}-0`]);
});

/** All records of a stream. @param {string} StreamName */
async function records(StreamName) {
  const { Shards } = await call("kinesis", "ListShards", { StreamName });
  const found = [];
  for (const { ShardId } of Shards) {
    const where = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" };
    const { ShardIterator } = await call("kinesis", "GetShardIterator", where);
    const { Records } = await call("kinesis", "GetRecords", { ShardIterator });
    for (const { Data, PartitionKey } of Records) {
      found.push({ key: PartitionKey, event: JSON.parse(`${Buffer.from(Data, "base64")}`) });
    }
  }
  return found;
}

test("Kinesis: a partition key is one's own", async () => {
  await call("kinesis", "CreateStream", { StreamName: "keyed", ShardCount: 1 });
  const partitionKey = (/** @type {{ n: number }} */ { n }) => `user-${n}`;
  const bus = new EventBus(kinesisSink(clientOf("kinesis"), url, "keyed", { partitionKey }), {
    retry: quickRetry,
    onDrop() {},
  });
  bus.ingestRaw('{"n":1}');
  bus.ingestRaw("{broken");
  await bus.close();
  assert.equal(bus.stats().abandoned.permanent, 1);
  assert.deepEqual(await records("keyed"), [{ key: "user-1", event: { n: 1 } }]);
});

test("Kinesis: an event whose partition key cannot be had is abandoned alone", async () => {
  const client = {
    fetch: async (/** @type {string} */ _, /** @type {any} */ { body }) =>
      Response.json({
        Records: JSON.parse(new TextDecoder().decode(body)).Records.map(() => ({})),
      }),
  };
  const partitionKey = (/** @type {any} */ { user }) => user.id;
  const sink = kinesisSink(/** @type {any} */ (client), "https://x", "s", { partitionKey });
  const { delivered, abandoned } = await send(sink, [{ user: { id: "a" } }, {}, {}]);
  assert.deepEqual([delivered, abandoned.permanent], [1, 2]);
});

test("Firehose: every event is a line", async () => {
  const s3 = clientOf("s3");
  await s3.fetch(`${url}/lake`, { method: "PUT" });
  await call("firehose", "CreateDeliveryStream", {
    DeliveryStreamName: "lake",
    ExtendedS3DestinationConfiguration: {
      RoleARN: "arn:aws:iam::123456789012:role/lake",
      BucketARN: "arn:aws:s3:::lake",
    },
  });
  const sink = firehoseSink(clientOf("firehose"), url, "lake");
  assert.equal((await send(sink, many)).delivered, 25);
  const list = await (await s3.fetch(`${url}/lake`)).text();
  const keys = [...list.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key);
  assert.lengthOf(keys, 1);
  const lines = (await (await s3.fetch(`${url}/lake/${keys[0]}`)).text()).split("\n");
  assert.deepEqual(
    lines.filter((line) => line !== "").map((line) => JSON.parse(line)),
    many,
  );
});

test("S3: a batch is an object", async () => {
  const client = clientOf("s3");
  await client.fetch(`${url}/archive`, { method: "PUT" });
  const { delivered, runId } = await send(s3Sink(client, `${url}/archive`), many);
  assert.equal(delivered, 25);
  const key = `events/${runId}-0/0000000000000000.ndjson`;
  const lines = (await (await client.fetch(`${url}/archive/${key}`)).text()).split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    many,
  );
});

test("a queue and a stream that are not there are final", async () => {
  for (const sink of [
    sqsSink(clientOf("sqs"), `${url}/123456789012/missing`),
    kinesisSink(clientOf("kinesis"), url, "missing"),
    firehoseSink(clientOf("firehose"), url, "missing"),
  ]) {
    assert.equal((await send(sink, [1, 2])).abandoned.permanent, 2);
  }
});

/**
 * Sends events to a service with these answers, and returns the bus's statistics and the parameters
 * of each call.
 *
 * @param {(url: string) => import("shardbus").DeliveryCallback<any>} sink
 * @param {unknown[]} events
 * @param {(((parameters: any) => unknown) | [status: number, body: unknown])[]} answers
 * @param {import("shardbus").EventBusOptions} [options]
 */
async function through(sink, events, answers, options) {
  /** @type {any[]} */
  const calls = [];
  const receiver = await startReceiver(
    ...answers.map((answer) => (/** @type {any} */ response, /** @type {any} */ { body }) => {
      const parameters = JSON.parse(body);
      calls.push(parameters);
      const [status, text] = typeof answer === "function" ? [200, answer(parameters)] : answer;
      response.writeHead(status).end(JSON.stringify(text));
    }),
  );
  try {
    /** @type {any[]} */
    const drops = [];
    const onDrop = (/** @type {any} */ drop) => void drops.push(drop);
    return { stats: await send(sink(receiver.url), events, { onDrop, ...options }), calls, drops };
  } finally {
    await receiver.stop();
  }
}

const sqs = (/** @type {string} */ to) => sqsSink(clientOf("sqs"), `${to}/1/q`);
const kinesis = (/** @type {string} */ to) => kinesisSink(clientOf("kinesis"), to, "s");
const took = (/** @type {any} */ { Entries }) => ({
  Successful: Entries.map((/** @type {any} */ { Id }) => ({ Id })),
});
const tookRecords = (/** @type {any} */ { Records }) => ({
  FailedRecordCount: 0,
  Records: Records.map(() => ({ SequenceNumber: "1" })),
});

test("SQS: each message has its own outcome", async () => {
  const { stats, calls, drops } = await through(
    sqs,
    [0, 1, 2, 3, 4],
    [
      () => ({
        Successful: [{ Id: "0" }],
        Failed: [
          {
            Id: "1",
            SenderFault: true,
            Code: "InvalidMessageContents",
            Message: "no such character",
          },
          { Id: "2", SenderFault: false, Code: "InternalError" },
          { Id: "3", SenderFault: true, Code: "RequestThrottled" },
        ],
      }),
      took,
      took,
    ],
  );
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [4, 1]);
  assert.match(drops[0].error.message, /InvalidMessageContents: no such character/);
  const again = calls.slice(1).flatMap(({ Entries }) => Entries);
  assert.deepEqual(
    again.map(({ MessageBody }) => MessageBody),
    // One was neither sent nor refused.
    ["2", "3", "4"],
  );
});

test("Kinesis: records that were not put are sent again, alone", async () => {
  const full = { ErrorCode: "ProvisionedThroughputExceededException", ErrorMessage: "full" };
  const { stats, calls } = await through(
    kinesis,
    [0, 1, 2],
    [() => ({ Records: [{ SequenceNumber: "1" }, full, { SequenceNumber: "2" }] }), tookRecords],
  );
  assert.equal(stats.delivered, 3);
  const again = calls[1].Records.map(
    (/** @type {any} */ { Data }) => `${Buffer.from(Data, "base64")}`,
  );
  assert.deepEqual(again, ["1"]);
});

test("events wait for a service that is too busy for any of them, and for new credentials", async () => {
  const full = { ErrorCode: "ProvisionedThroughputExceededException" };
  /** @type {Parameters<typeof through>[2]} */
  const busy = [
    // More often than a batch may be refused.
    ...Array(12).fill((/** @type {any} */ { Records }) => ({ Records: Records.map(() => full) })),
    [400, { __type: "ThrottlingException", message: "Rate exceeded" }],
    [400, { __type: "com.amazonaws.sqs#KmsThrottled" }],
    ...Array(12).fill([400, { __type: "ExpiredTokenException" }]),
    [503, ""],
  ];
  const { stats } = await through(kinesis, [0, 1], [...busy, tookRecords]);
  assert.equal(stats.delivered, 2);
});

test("an event for which a whole call is refused is abandoned alone, and none is put twice", async () => {
  const events = Array.from({ length: 25 }, (_, n) => n);
  /** @type {string[]} */
  const put = [];
  const answer = (/** @type {any} */ parameters) => {
    put.push(...parameters.Entries.map((/** @type {any} */ { MessageBody }) => MessageBody));
    return took(parameters);
  };
  const isBad = (/** @type {any} */ { Entries }) =>
    Entries.some((/** @type {any} */ it) => it.MessageBody === "17");
  const receiver = await startReceiver(
    ...Array(30).fill((/** @type {any} */ response, /** @type {any} */ { body }) => {
      const parameters = JSON.parse(body);
      if (isBad(parameters)) {
        response.writeHead(400).end('{"__type":"com.amazonaws.sqs#BatchRequestTooLong"}');
      } else response.end(JSON.stringify(answer(parameters)));
    }),
  );
  try {
    const stats = await send(sqs(receiver.url), events);
    assert.deepEqual([stats.delivered, stats.abandoned.permanent], [24, 1]);
    assert.deepEqual(put, events.filter((n) => n !== 17).map(String));
  } finally {
    await receiver.stop();
  }
});

test("calls have as many events as the service takes", async () => {
  const large = "x".repeat(200_000);
  const events = [large, large, large, large, large, ...Array.from({ length: 14 }, (_, n) => n)];
  const options = { batch: { maxBytes: 4 << 20 } };
  const { calls } = await through(sqs, events, [took, took, took], options);
  assert.deepEqual(
    calls.map(({ Entries }) => Entries.length),
    [4, 10, 5],
  );
});

test("wrong arguments are named", () => {
  const client = clientOf("sqs");
  /** @type {[string, () => unknown][]} */
  const wrong = [
    ["client", () => sqsSink(/** @type {any} */ ({}), url)],
    ["queueUrl", () => sqsSink(client, "clicks")],
    ["url", () => kinesisSink(client, "kinesis", "s")],
    ["stream", () => kinesisSink(client, url, "")],
    ["stream", () => firehoseSink(client, url, /** @type {any} */ (1))],
    [
      "partitionKey",
      () => kinesisSink(client, url, "s", /** @type {any} */ ({ partitionKey: "a" })),
    ],
  ];
  for (const [option, make] of wrong) {
    assert.throws(/** @type {any} */ (make), InvalidOptionError, `\`${option}\``);
  }
});

// @ts-check
// Objects at the boundary of S3's protocol: signed by aws4fetch, and read over HTTP.
import { AwsClient } from "aws4fetch";
import { EventBus, InvalidOptionError } from "shardbus";
import { s3Sink } from "shardbus/sinks/s3";
import { assert, quickRetry, test } from "../js/harness.mjs";
import { startReceiver, status } from "./http-server.mjs";
import { send } from "./send.mjs";

const client = new AwsClient({
  accessKeyId: "id",
  secretAccessKey: "secret",
  service: "s3",
  region: "eu-central-1",
  retries: 0,
});

/** The receiver takes the first of two batches, and refuses the other for good. @param {string} url */
async function expectFirstOfTwo(url) {
  const bus = new EventBus(s3Sink(client, url), { retry: quickRetry, onDrop() {} });
  for (const n of [1, 2]) {
    bus.ingest(n);
    await bus.flush();
  }
  const { delivered, abandoned } = bus.stats();
  assert.deepEqual([delivered, abandoned.permanent], [1, 1]);
  await bus.close();
}

test("a batch is one signed object, and the same one after a lost answer", async () => {
  const receiver = await startReceiver(
    (response) => response.socket?.destroy(),
    status(503, { "retry-after": "0" }),
  );
  try {
    const { delivered, runId } = await send(s3Sink(client, `${receiver.url}/bucket/`), [1, 2]);
    assert.equal(delivered, 2);
    assert.lengthOf(receiver.requests, 3);
    for (const { method, url, headers, body } of receiver.requests) {
      assert.equal(method, "PUT");
      assert.equal(url, `/bucket/events/${runId}-0/0000000000000000.ndjson`);
      assert.equal(body, "1\n2");
      assert.equal(headers["content-type"], "application/x-ndjson");
      assert.match(String(headers.authorization), /^AWS4-HMAC-SHA256 Credential=id\/.*Signature=/);
    }
  } finally {
    await receiver.stop();
  }
});

test("keys are one's own, and objects compressed", async () => {
  const receiver = await startReceiver();
  try {
    const key = (/** @type {import("shardbus").Batch} */ { id }) => `a b/${id}`;
    await send(s3Sink(client, receiver.url, { key, gzip: true }), [{ n: 1 }]);
    const [request] = receiver.requests;
    assert.match(String(request?.url), /^\/a%20b\/[0-9a-f]+-0-0$/);
    assert.equal(request?.headers["content-encoding"], "gzip");
    assert.equal(request?.body, '{"n":1}');
  } finally {
    await receiver.stop();
  }
});

test("a refusal that passes is no reason to give a batch up", async () => {
  const refusal = (/** @type {string} */ code) => (/** @type {any} */ response) => {
    response.statusCode = 400;
    response.end(`<?xml version="1.0"?>\n<Error><Code>${code}</Code><Message>…</Message></Error>`);
  };
  const passing = ["RequestTimeout", "ExpiredToken", "RequestTimeTooSkewed"].map(refusal);
  const receiver = await startReceiver(...passing, status(200), refusal("InvalidArgument"));
  try {
    await expectFirstOfTwo(receiver.url);
  } finally {
    await receiver.stop();
  }
});

test("a refusal for good is told, and the objects of an outage wait", async () => {
  const receiver = await startReceiver(...Array(12).fill(status(503)), status(200), status(403));
  try {
    await expectFirstOfTwo(receiver.url);
  } finally {
    await receiver.stop();
  }
});

test("wrong arguments are named", () => {
  assert.throws(() => s3Sink(/** @type {any} */ ({}), "https://x"), InvalidOptionError, "`client`");
  for (const bucket of [
    "bucket",
    "localhost:9000/bucket",
    "https://x/?versioning",
    "https://x/#a",
  ]) {
    assert.throws(() => s3Sink(client, bucket), InvalidOptionError, "`bucket`");
  }
});

// @ts-check
import { EventBus, InvalidOptionError } from "shardbus";
import { cloudflareQueuesSink } from "shardbus/sinks/cloudflare-queues";
import { assert, quickRetry, test } from "../js/harness.mjs";
import { send } from "./send.mjs";

/** A queue that notes each call, and fails those that have an error. @param {(string | undefined)[]} errors */
function fakeQueue(...errors) {
  /** @type {import("shardbus/sinks/cloudflare-queues").QueuedEvent[][]} */
  const calls = [];
  return {
    calls,
    /** @param {Iterable<{ body: any }>} messages */
    async sendBatch(messages) {
      calls.push(Array.from(messages, ({ body }) => body));
      const error = errors.shift();
      if (error !== undefined) throw new Error(`Queue sendBatch failed: ${error}`);
    },
  };
}

const numbers = Array.from({ length: 250 }, (_, n) => n);

test("calls have 100 messages at most, each with its place", async () => {
  const queue = fakeQueue();
  await send(cloudflareQueuesSink(queue), numbers);
  assert.deepEqual(
    queue.calls.map(({ length }) => length),
    [100, 100, 50],
  );
  queue.calls.flat().forEach(({ id, shard, sequence, event }, n) => {
    assert.deepEqual([shard, sequence, event], [0, n, n]);
    assert.match(id, new RegExp(`^[0-9a-f]{16}-0-${n}$`));
  });
});

test("calls have 256 kB at most", async () => {
  const queue = fakeQueue();
  const events = Array.from({ length: 7 }, (_, n) => `${n}${"é".repeat(18_550)}`);
  await send(
    cloudflareQueuesSink(() => queue),
    events,
  );
  for (const call of queue.calls) {
    assert.isAtMost(Buffer.byteLength(JSON.stringify(call)), 256_000);
  }
  assert.deepEqual(
    queue.calls.flat().map(({ event }) => event),
    events,
  );
});

test("packed messages have as many events as fit, and their places", async () => {
  /** @type {import("shardbus/sinks/cloudflare-queues").QueuedEvents<string>[]} */
  const messages = [];
  let calls = 0;
  const queue = {
    /** @param {Iterable<{ body: any }>} batch */
    async sendBatch(batch) {
      calls++;
      messages.push(...Array.from(batch, ({ body }) => body));
    },
  };
  const events = Array.from({ length: 1000 }, (_, n) => `${n}${"é".repeat(100)}`);
  const sink = cloudflareQueuesSink(queue, { pack: true });
  const { runId } = await send(sink, events, { batch: { maxBytes: 1 << 20 } });
  assert.equal(messages.length, 2);
  assert.equal(calls, 1);
  assert.deepEqual(
    messages.flatMap((message) => message.events),
    events,
  );
  let sequence = 0;
  for (const message of messages) {
    assert.deepInclude(message, { id: `${runId}-0-${sequence}`, shard: 0, sequence });
    assert.isAtMost(Buffer.byteLength(JSON.stringify(message)), 128_000);
    sequence += message.events.length;
  }
});

test("a packed message has no gap where an event was no JSON text", async () => {
  /** @type {any[]} */
  const messages = [];
  const queue = {
    /** @param {Iterable<{ body: any }>} batch */
    async sendBatch(batch) {
      messages.push(...Array.from(batch, ({ body }) => [body.sequence, body.events]));
    },
  };
  const sink = cloudflareQueuesSink(queue, { pack: true });
  const bus = new EventBus(sink, { onDrop() {} });
  for (const text of ["0", "1", "no JSON", "3"]) bus.ingestRaw(text);
  await bus.close();
  assert.deepEqual(messages, [
    [0, [0, 1]],
    [3, [3]],
  ]);
});

test("after a call that failed, the next attempt begins with it", async () => {
  const queue = fakeQueue(undefined, "Too Many Requests");
  assert.equal((await send(cloudflareQueuesSink(queue), numbers)).delivered, 250);
  assert.deepEqual(
    queue.calls.map((call) => call[0]?.sequence),
    [0, 100, 100, 200],
  );
});

test("an event that is too large is abandoned alone", async () => {
  const queue = fakeQueue();
  const stats = await send(cloudflareQueuesSink(queue), [1, "x".repeat(130_000), 3]);
  assert.equal(stats.abandoned.permanent, 1);
  assert.deepEqual(
    queue.calls.flat().map(({ event }) => event),
    [1, 3],
  );

  const refusing = fakeQueue("Payload Too Large");
  assert.equal((await send(cloudflareQueuesSink(refusing), [1, 2])).delivered, 2);
});

test("calls that a request may not make any more are held against no batch", async () => {
  const words = "Too many API requests by single worker invocation.";
  const queue = fakeQueue(...Array(15).fill(words));
  assert.equal((await send(cloudflareQueuesSink(queue), numbers)).delivered, 250);
});

test("the platform's messages reach logs without control characters", async () => {
  const queue = fakeQueue("\x1b[2JPayload Too Large");
  /** @type {any} */
  let told;
  const onDrop = (/** @type {import("shardbus").Drop} */ { error }) => (told = error);
  const bus = new EventBus(cloudflareQueuesSink(queue), { retry: quickRetry, onDrop });
  bus.ingest(1);
  await bus.close();
  assert.equal(
    told.message,
    "The queue did not take the messages: Queue sendBatch failed:  [2JPayload Too Large",
  );
});

test("wrong arguments are named", () => {
  // @ts-expect-error no binding
  assert.throws(() => cloudflareQueuesSink({}), InvalidOptionError, "`queue`");
});

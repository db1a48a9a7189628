// @ts-check
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { assert, eventually, quickRetry, test } from "../js/harness.mjs";
import { startReceiver, status } from "./http-server.mjs";

/** @param {import("shardbus").DeliveryCallback} sink */
const newBus = (sink) => new EventBus(sink, { retry: quickRetry, onDrop() {} });

for (const code of [301, 302, 303]) {
  test(`a ${code} is no delivery, and the request stays a POST`, async () => {
    const receiver = await startReceiver(...Array(3).fill(status(code, { location: "/other" })));
    try {
      const bus = newBus(httpSink(`${receiver.url}/events`));
      bus.ingestBatch([1, 2]);
      const { delivered } = await bus.flush();
      assert.equal(delivered, 2);
      assert.match(String(bus.stats().lastError?.message), new RegExp(`${code}.* to /other`));
      const all = receiver.requests.map(({ method, url, body }) => [method, url, body]);
      assert.deepEqual(all, Array(4).fill(["POST", "/events", "1\n2"]));
      await bus.close();
    } finally {
      await receiver.stop();
    }
  });
}

for (const code of [307, 308]) {
  test(`a ${code} within the origin is followed, with body and headers`, async () => {
    const receiver = await startReceiver(status(code, { location: "/events/" }));
    try {
      const bus = newBus(httpSink(`${receiver.url}/events`, { headers: { "x-api-key": "k" } }));
      bus.ingest(1);
      const { delivered } = await bus.close();
      assert.equal(delivered, 1);
      const [first, second] = receiver.requests;
      assert.deepEqual([second?.method, second?.url, second?.body], ["POST", "/events/", "1"]);
      assert.equal(second?.headers["x-api-key"], "k");
      assert.equal(second?.headers["idempotency-key"], first?.headers["idempotency-key"]);
    } finally {
      await receiver.stop();
    }
  });

  test(`a ${code} to another origin is followed only where that is allowed`, async () => {
    const other = await startReceiver();
    const answers = Array(3).fill(status(code, { location: other.url }));
    const receiver = await startReceiver(...answers);
    const again = await startReceiver(status(code, { location: other.url }));
    try {
      const headers = { "x-api-key": "k" };
      const closed = newBus(httpSink(receiver.url, { headers }));
      closed.ingest(1);
      const retried = () => receiver.requests.length > 1;
      await eventually(retried, () => "it is not tried again", 30_000);
      await closed.close({ timeoutMs: 30_000 });
      assert.isEmpty(other.requests);

      const open = newBus(httpSink(again.url, { headers, redirectOrigins: [other.url] }));
      open.ingest(2);
      assert.equal((await open.close()).delivered, 1);
      assert.equal(other.requests[0]?.body, "2");
      assert.equal(other.requests[0]?.headers["x-api-key"], "k");
    } finally {
      for (const started of [receiver, again, other]) await started.stop();
    }
  });
}

test("a redirect that leads in a circle is not followed for ever", async () => {
  const circle = Array(4).fill(status(308, { location: "/" }));
  const receiver = await startReceiver(...circle);
  try {
    const bus = newBus(httpSink(receiver.url));
    bus.ingest(1);
    await bus.close();
    assert.lengthOf(receiver.requests, 5);
    assert.equal(bus.stats().batches.retries, 1);
  } finally {
    await receiver.stop();
  }
});

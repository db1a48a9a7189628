// @ts-check
import { gzipSync } from "node:zlib";
import { DeliveryError, EventBus } from "shardbus";
import { httpSink, refuseHtml } from "shardbus/sinks/http";
import { assert, eventually, quickRetry, test } from "../js/harness.mjs";
import { startReceiver } from "./http-server.mjs";

/** @typedef {import("node:http").ServerResponse} ServerResponse */

/** @param {import("shardbus").DeliveryCallback} sink @param {import("shardbus").EventBusOptions} [options] */
async function sendOne(sink, options) {
  const bus = new EventBus(sink, { retry: quickRetry, onDrop() {}, ...options });
  bus.ingest({ n: 1 });
  await bus.flush();
  const stats = bus.stats();
  await bus.close();
  return stats;
}

test("an answer whose body never ends is judged by its status, and read no further", async () => {
  let written = 0;
  const endless = (/** @type {number} */ status) => (/** @type {ServerResponse} */ response) => {
    response.writeHead(status);
    const chunk = Buffer.alloc(64 << 10);
    const more = () => {
      if (!response.writable) return;
      written += chunk.length;
      response.write(chunk, more);
    };
    more();
  };
  const receiver = await startReceiver(endless(503), endless(200));
  try {
    const { delivered, batches } = await sendOne(httpSink(receiver.url));
    assert.equal(delivered, 1);
    assert.equal(batches.retries, 1);
    // Bytes in the sockets on the way come on top of those that are read.
    assert.isBelow(written, 64 << 20);
  } finally {
    await receiver.stop();
  }
});

test("a small answer that unpacks to 256 MiB is not unpacked", async () => {
  const bomb = gzipSync(Buffer.alloc(256 << 20));
  const receiver = await startReceiver((response) => {
    response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
  });
  try {
    let read = 0;
    const sink = httpSink(receiver.url, {
      fetch: async (url, init) => {
        const response = await fetch(url, init);
        const count = new TransformStream({
          transform(chunk, controller) {
            read += chunk.length;
            controller.enqueue(chunk);
          },
        });
        return new Response(response.body?.pipeThrough(count), response);
      },
    });
    assert.equal((await sendOne(sink)).delivered, 1);
    assert.isBelow(read, 8 << 20);
  } finally {
    await receiver.stop();
  }
});

for (const [what, stall] of /** @type {const} */ ([
  ["stalls", (/** @type {ServerResponse} */ response) => response.write("a beginning")],
  ["breaks off", (/** @type {ServerResponse} */ response) => response.socket?.destroy()],
])) {
  test(`a 200 whose body ${what} is a delivery`, async () => {
    const receiver = await startReceiver((response) => {
      response.writeHead(200, { "content-length": 100 });
      response.flushHeaders();
      response.write("x", () => stall(response));
    });
    try {
      const { delivered } = await sendOne(httpSink(receiver.url));
      assert.equal(delivered, 1);
      assert.lengthOf(receiver.requests, 1);
    } finally {
      await receiver.stop();
    }
  });
}

test("a check of one's own that throws fromResponse leaves no connection open with an unread answer", async () => {
  // More than the kernel's buffers take: an answer that nobody reads or cancels holds its connection.
  const refuse = (/** @type {ServerResponse} */ response) => {
    response.writeHead(503).end("x".repeat(16 << 20));
  };
  const receiver = await startReceiver(...Array(5).fill(refuse));
  const sink = httpSink(receiver.url, {
    check(response) {
      if (!response.ok) throw DeliveryError.fromResponse(response);
    },
  });
  try {
    assert.equal((await sendOne(sink)).delivered, 1);
    assert.lengthOf(receiver.requests, 6);
    const open = () => [...receiver.sockets].filter((it) => !it.destroyed);
    await eventually(
      () => open().length <= 1,
      () => `${open().length} connections are open`,
    );
  } finally {
    await receiver.stop();
  }
});

test("connections are used again, whatever the answers say", async () => {
  const answer = (/** @type {number} */ status) => (/** @type {ServerResponse} */ response) => {
    response.writeHead(status).end("x".repeat(60_000));
  };
  const receiver = await startReceiver(
    ...Array(5).fill(answer(503)),
    ...Array(5).fill(answer(200)),
  );
  const bus = new EventBus(httpSink(receiver.url), { retry: quickRetry });
  try {
    for (let i = 0; i < 5; i++) {
      bus.ingest(i);
      await bus.flush();
    }
    assert.lengthOf(receiver.requests, 10);
    assert.isBelow(receiver.sockets.size, 5);
  } finally {
    await bus.close();
    await receiver.stop();
  }
});

test("a receiver's messages reach terminals short and without control characters", async () => {
  const evil = "\x1b]0;owned\x07\x1b[31m\x9b2J";
  const receiver = await startReceiver((response) => {
    response.socket?.end(
      `HTTP/1.1 400 No${evil}${"x".repeat(5000)}\r\ncontent-length: 0\r\n\r\n`,
      "latin1",
    );
  });
  /** @type {any} */
  let told;
  try {
    await sendOne(httpSink(receiver.url), { onDrop: ({ error }) => (told = error) });
    assert.equal(told.status, 400);
    assert.match(told.message, /^The receiver answered 400 No ]0;owned/);
    assert.isBelow(told.message.length, 400);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them.
    assert.notMatch(told.message, /[\x00-\x1f\x7f-\x9f]/);
  } finally {
    await receiver.stop();
  }
});

test("with `refuseHtml`, a captive portal's page delivers nothing, and the batch waits", async () => {
  const portal = (/** @type {ServerResponse} */ response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<h1>Welcome</h1>");
  };
  const receiver = await startReceiver(...Array(12).fill(portal));
  try {
    const { delivered, abandoned } = await sendOne(httpSink(receiver.url, { check: refuseHtml }));
    assert.equal(delivered, 1);
    assert.equal(abandoned.retries, 0);
    assert.lengthOf(receiver.requests, 13);
  } finally {
    await receiver.stop();
  }
});

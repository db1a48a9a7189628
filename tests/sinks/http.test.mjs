// @ts-check
import { EventBus, InvalidOptionError } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { assert, quickRetry, test } from "../js/harness.mjs";
import { MemoryStore } from "../js/memory-store.mjs";
import { startReceiver } from "./http-server.mjs";
import { send } from "./send.mjs";

/**
 * Answers with a status, and a body that is to be read before its connection is used again.
 *
 * @param {number} status
 * @param {import("node:http").OutgoingHttpHeaders} [headers]
 */
const answer = (status, headers) => (/** @type {import("node:http").ServerResponse} */ response) =>
  void response.writeHead(status, headers).end("x".repeat(60_000));

test("a batch is a request, with its id over all attempts; connections are used again", async () => {
  const collector = await startReceiver(...Array(3).fill(answer(503)), answer(429), answer(200));
  try {
    const { delivered } = await send(httpSink(collector.url), [{ n: 1 }, { n: 2 }]);
    assert.equal(delivered, 2);
    const bodies = collector.requests.map(({ body }) => body);
    assert.deepEqual(bodies, Array(5).fill('{"n":1}\n{"n":2}'));
    const ids = collector.requests.map(({ headers }) => headers["idempotency-key"]);
    assert.match(String(ids[0]), /^[0-9a-f]{16}-0-0$/);
    assert.equal(new Set(ids).size, 1);
    assert.equal(collector.requests[0]?.headers["content-type"], "application/x-ndjson");
    assert.isBelow(collector.sockets.size, 5);
  } finally {
    await collector.stop();
  }
});

test("the answer decides: Retry-After, 413 and permanent statuses", async () => {
  const later = await startReceiver(answer(503, { "retry-after": "1" }));
  const large = await startReceiver(answer(413));
  const wrong = await startReceiver(answer(400));
  try {
    await send(httpSink(later.url), [1]);
    const [first, second] = later.requests.map(({ at }) => at);
    assert.isAtLeast(/** @type {number} */ (second) - /** @type {number} */ (first), 990);

    assert.equal((await send(httpSink(large.url), [1, 2])).delivered, 2);
    assert.deepEqual(
      large.requests.map(({ body }) => body),
      ["1\n2", "1", "2"],
    );
    assert.equal((await send(httpSink(wrong.url), [1, 2])).abandoned.permanent, 2);
    assert.lengthOf(wrong.requests, 1);
  } finally {
    for (const collector of [later, large, wrong]) await collector.stop();
  }
});

test("a raw payload of an earlier run spoils no array", async () => {
  const store = new MemoryStore();
  const fail = () => Promise.reject(new Error("the receiver is away"));
  const options = /** @type {const} */ ({ format: "json", retry: quickRetry, onDrop() {}, store });
  const earlier = new EventBus(fail, options);
  for (const payload of ['{"n":0}', "no JSON", '{"n":1}']) earlier.ingestRaw(payload);
  await earlier.persisted();
  await earlier.close({ timeoutMs: 0 });
  const collector = await startReceiver();
  try {
    const bus = new EventBus(httpSink(collector.url), options);
    await bus.flush();
    const { restored, delivered, abandoned } = bus.stats();
    await bus.close();
    assert.deepEqual([restored, delivered, abandoned.permanent], [3, 2, 1]);
    const events = collector.requests.flatMap(({ body }) => JSON.parse(body));
    assert.deepEqual(events, [{ n: 0 }, { n: 1 }]);
  } finally {
    await collector.stop();
  }
});

test("bodies are compressed, and headers added", async () => {
  const collector = await startReceiver();
  try {
    const headers = () => ({ authorization: "Bearer x" });
    await send(httpSink(new URL(collector.url), { gzip: true, headers }), [1], { format: "json" });
    const [request] = collector.requests;
    assert.equal(request?.body, "[1]");
    assert.equal(request?.headers["content-encoding"], "gzip");
    assert.equal(request?.headers["content-type"], "application/json");
    assert.equal(request?.headers.authorization, "Bearer x");
  } finally {
    await collector.stop();
  }
});

test("without a preflight, the id is in the query", async () => {
  const collector = await startReceiver();
  try {
    const sink = httpSink(() => `${collector.url}/in?site=1`, { preflight: false, gzip: true });
    await send(sink, [1]);
    const [request] = collector.requests;
    assert.match(String(request?.url), /^\/in\?site=1&id=[0-9a-f]{16}-0-0$/);
    assert.equal(request?.headers["content-type"], "text/plain");
    assert.notProperty(request?.headers, "idempotency-key");
  } finally {
    await collector.stop();
  }
});

test("nothing is awaited before a request begins, as its page may not come back", () => {
  /** @type {RequestInit | undefined} */
  let begun;
  const sink = httpSink("/events", {
    headers: () => ({ "x-a": "b" }),
    fetch: async (_, init) => {
      begun = init;
      return new Response();
    },
  });
  const body = new TextEncoder().encode("1");
  const batch = /** @type {any} */ ({ id: "a-0-0", body, contentType: "application/x-ndjson" });
  const { signal } = new AbortController();
  sink(batch, { signal, attempt: 1, keepalive: true });
  assert.equal(begun?.body, body);
  assert.equal(begun?.keepalive, true);
  assert.equal(begun?.signal, signal);
});

test("`check` judges the response", async () => {
  const collector = await startReceiver(answer(409));
  try {
    /** @type {number[]} */
    const seen = [];
    const sink = httpSink(collector.url, { check: ({ status }) => seen.push(status) });
    assert.equal((await send(sink, [1])).delivered, 1);
    assert.deepEqual(seen, [409]);
  } finally {
    await collector.stop();
  }
});

test("wrong arguments are named", () => {
  assert.throws(() => httpSink(""), InvalidOptionError, "`url`");
  const zip = /** @type {any} */ ({ zip: true });
  const make = () => httpSink("https://a.example", zip);
  assert.throws(make, InvalidOptionError, "`zip` is not an option");
});

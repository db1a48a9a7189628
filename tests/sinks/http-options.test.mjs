// @ts-check
import { EventBus, InvalidOptionError } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { assert, eventually, quickRetry, test } from "../js/harness.mjs";
import { startReceiver } from "./http-server.mjs";

/** The headers that a receiver gets. @param {import("shardbus/sinks/http").HttpSinkOptions} options */
async function headersThrough(options) {
  const receiver = await startReceiver();
  try {
    const bus = new EventBus(httpSink(receiver.url, options), { retry: quickRetry });
    bus.ingest(1);
    await bus.close();
    return receiver.requests[0]?.headers ?? {};
  } finally {
    await receiver.stop();
  }
}

const pairs = /** @type {const} */ ([["authorization", "Bearer x"]]);
const lists = {
  "an object": { authorization: "Bearer x" },
  "a Headers": new Headers({ authorization: "Bearer x" }),
  "a Map": new Map(pairs),
  "an array of pairs": pairs,
};

for (const [form, list] of Object.entries(lists)) {
  test(`headers are sent in the form of ${form}`, async () => {
    for (const headers of [list, () => list, async () => list]) {
      assert.equal((await headersThrough({ headers })).authorization, "Bearer x");
    }
    assert.equal((await headersThrough({ init: { headers: list } })).authorization, "Bearer x");
  });
}

test("`headers` goes before `init.headers`, and that before the sink's own", async () => {
  const got = await headersThrough({
    headers: { "x-b": "headers", "x-c": "headers" },
    init: { headers: { "x-a": "init", "x-b": "init", "Content-Type": "text/x" } },
  });
  assert.deepInclude(got, { "x-a": "init", "x-b": "headers", "x-c": "headers" });
  assert.equal(got["content-type"], "text/x");
});

test("`httpSink` rejects invalid headers", () => {
  const wrong = [
    "authorization: x",
    1,
    null,
    Promise.resolve({ authorization: "x" }),
    new Date(),
    ["authorization", "x"],
    { authorization: undefined },
    new Map([["authorization", null]]),
    // Gives its pairs once: the second attempt would have none.
    new Map([["authorization", "x"]]).entries(),
    { "no name": "x" },
    { authorization: "two\nlines" },
  ];
  for (const list of wrong) {
    const headers = /** @type {any} */ (list);
    const make = () => httpSink("https://a.example", { headers });
    assert.throws(make, InvalidOptionError, "`headers` is");
    const makeInit = () => httpSink("https://a.example", { init: { headers } });
    assert.throws(makeInit, InvalidOptionError, "`init` is");
  }
});

test("a function that has no headers yet loses nothing: the batch waits", async () => {
  const receiver = await startReceiver();
  try {
    let calls = 0;
    const headers = () => ({ authorization: /** @type {any} */ (calls++ < 15 ? undefined : "x") });
    const bus = new EventBus(httpSink(receiver.url, { headers }), { retry: quickRetry });
    bus.ingest(1);
    const { delivered } = await bus.close();
    assert.equal(delivered, 1);
    const sent = receiver.requests.map(({ headers }) => headers.authorization);
    assert.deepEqual(sent, ["x"]);
  } finally {
    await receiver.stop();
  }
});

test("a URL that nothing can be sent to is refused when the sink is made", () => {
  for (const url of [
    "",
    "collector.example/events",
    "/events",
    "localhost:4318/v1/logs",
    "ftp://collector.example",
    "https://user:secret@collector.example",
    new URL("data:text/plain,x"),
    /** @type {any} */ (1),
  ]) {
    assert.throws(() => httpSink(url), InvalidOptionError, "`url`", String(url));
  }
  const fetch = async () => new Response();
  for (const url of ["http://a", "https://a.example/b?c#d", new URL("https://a.example")]) {
    httpSink(url);
  }
  // A `fetch` of one's own may have a base of its own.
  httpSink("/events", { fetch });
});

test("a function that names no URL is told so at each attempt, and nothing is lost", async () => {
  let url = "collector.example";
  const receiver = await startReceiver();
  try {
    const bus = new EventBus(
      httpSink(() => url),
      { retry: quickRetry },
    );
    bus.ingest(1);
    const told = () => bus.flush().then(() => true);
    const flushed = told();
    const says = () => String(bus.stats().lastError?.message).includes("`url`");
    await eventually(says, () => `it says ${bus.stats().lastError?.message}`, 30_000);
    url = receiver.url;
    await flushed;
    assert.equal(bus.stats().delivered, 1);
    await bus.close();
  } finally {
    await receiver.stop();
  }
});

test("without a preflight, the id is in the query, before any fragment", async () => {
  const receiver = await startReceiver();
  try {
    const sink = httpSink(`${receiver.url}/in#part`, { preflight: false });
    const bus = new EventBus(sink);
    bus.ingest(1);
    await bus.close();
    assert.match(String(receiver.requests[0]?.url), /^\/in\?id=[0-9a-f]{16}-0-0$/);
  } finally {
    await receiver.stop();
  }
});

test("a body that is neither text nor bytes is not sent, and its batch waits", async () => {
  const receiver = await startReceiver();
  try {
    for (const body of [undefined, Promise.resolve("1"), { n: 1 }]) {
      const encode = () => /** @type {any} */ (body);
      const bus = new EventBus(httpSink(receiver.url, { encode }), { onDrop() {} });
      bus.ingest(1);
      await bus.flush({ timeoutMs: 100 });
      const { delivered, lastError } = bus.stats();
      assert.equal(delivered, 0);
      assert.match(String(lastError?.message), /`encode` returned/);
      await bus.close({ timeoutMs: 0 });
    }
    assert.lengthOf(receiver.requests, 0);
  } finally {
    await receiver.stop();
  }
});

test("`keepalive` is passed to `fetch` only where it is wanted", async () => {
  /** @type {RequestInit[]} */
  const inits = [];
  const sink = httpSink("/events", {
    fetch: async (_, init) => {
      inits.push(init);
      return new Response();
    },
  });
  const body = new TextEncoder().encode("1");
  const batch = /** @type {any} */ ({ id: "a-0-0", body, contentType: "application/x-ndjson" });
  const { signal } = new AbortController();
  for (const keepalive of [false, true]) await sink(batch, { signal, attempt: 1, keepalive });
  assert.notProperty(inits[0], "keepalive");
  assert.propertyVal(inits[1], "keepalive", true);
});

test("`init` may not have options that the sink sets itself", () => {
  // The mode would let nobody know whether anything was delivered.
  const wrong = [{ redirect: "follow" }, { body: "x" }, { keepalive: true }, { mode: "no-cors" }];
  for (const own of wrong) {
    const init = /** @type {any} */ (own);
    assert.throws(() => httpSink("https://a.example", { init }), InvalidOptionError, "`init`");
  }
  // @ts-expect-error no array
  const notOrigins = () => httpSink("https://a.example", { redirectOrigins: "https://b.example" });
  assert.throws(notOrigins, InvalidOptionError, "`redirectOrigins`");
  const paths = () => httpSink("https://a.example", { redirectOrigins: ["https://b.example/c"] });
  assert.throws(paths, InvalidOptionError, "`redirectOrigins`");
});

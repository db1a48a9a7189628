// @ts-check
// OpenTelemetry's processors in every runtime. tests/otel compares them with OpenTelemetry's own.
import { BatchSpanProcessor, LoggerProvider } from "shardbus/opentelemetry";
import { assert, test, within } from "./harness.mjs";

const URL_OF_LOGS = "https://collector.example/v1/logs";

/** A receiver that notes each request, and then answers with the first of these that is left, or 200. @param {Response[]} answers */
function receiver(...answers) {
  /** @type {{ url: string, headers: Headers, body: Uint8Array }[]} */
  const requests = [];
  return {
    requests,
    /** @param {any} url @param {any} init */
    async fetch(url, { headers, body }) {
      requests.push({ url: `${url}`, headers: new Headers(headers), body });
      return answers.shift() ?? new Response();
    },
  };
}

/** @param {Uint8Array} bytes */
const textOf = (bytes) => new TextDecoder().decode(bytes);

/** A span that has ended. @param {string} name */
const spanOf = (name) => ({
  name,
  kind: 0,
  spanContext: () => ({ traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 }),
  startTime: /** @type {[number, number]} */ ([1, 0]),
  endTime: /** @type {[number, number]} */ ([2, 0]),
  status: { code: 0 },
  attributes: { at: "é" },
  events: [],
  links: [],
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
  resource: { attributes: { "service.name": "shop" } },
  instrumentationScope: { name: "cart" },
});

test("log records arrive as JSON, under their resource and scopes, after an outage too", async () => {
  const { requests, fetch } = receiver(new Response(null, { status: 503 }));
  const provider = new LoggerProvider({
    url: URL_OF_LOGS,
    protocol: "http/json",
    headers: { authorization: "Bearer t" },
    resource: { "service.name": "shop" },
    onError() {},
    bus: { retry: { baseDelayMs: 1, maxDelayMs: 1 } },
    fetch,
  });
  for (const scope of ["cart", "till"]) {
    provider.getLogger(scope).emit({ body: `from the ${scope}`, attributes: { euro: "€" } });
  }
  await provider.forceFlush();
  assert.isAtLeast(requests.length, 2);
  const found = requests.flatMap(({ url, headers, body }) => {
    assert.equal(url, URL_OF_LOGS);
    assert.equal(headers.get("authorization"), "Bearer t");
    return JSON.parse(textOf(body)).resourceLogs;
  });
  for (const { resource } of found) {
    const name = { key: "service.name", value: { stringValue: "shop" } };
    assert.deepInclude(resource.attributes, name);
  }
  const records = found.flatMap(({ scopeLogs }) =>
    scopeLogs.map(
      (/** @type {any} */ it) => `${it.scope.name}: ${it.logRecords[0].body.stringValue}`,
    ),
  );
  assert.sameMembers([...new Set(records)], ["cart: from the cart", "till: from the till"]);
  assert.equal(provider.bus.stats().delivered, 2);
  await provider.shutdown();
});

test("spans arrive as protobuf", async () => {
  const { requests, fetch } = receiver();
  const processor = new BatchSpanProcessor({ url: "https://collector.example/v1/traces", fetch });
  for (const name of ["first", "second"]) processor.onEnd(spanOf(name));
  await processor.forceFlush();
  const bodies = requests.map(({ headers, body }) => {
    assert.equal(headers.get("content-type"), "application/x-protobuf");
    return textOf(body);
  });
  for (const text of ["shop", "cart", "first", "second", "é"]) assert.include(bodies.join(), text);
  await processor.shutdown();
});

for (const protocol of /** @type {const} */ (["http/json", "http/protobuf"])) {
  test(`a record that is made while another one is read harms neither, in ${protocol}`, async () => {
    const { requests, fetch } = receiver();
    const provider = new LoggerProvider({ url: URL_OF_LOGS, protocol, fetch });
    const logger = provider.getLogger("cart");
    const attributes = {
      get user() {
        logger.emit({ body: "the inner body" });
        return "the user";
      },
    };
    logger.emit({ body: "the outer body", attributes });
    await provider.shutdown();
    const text = requests.map(({ body }) => textOf(body)).join();
    for (const part of ["the inner body", "the outer body", "the user"]) {
      assert.equal(text.split(part).length - 1, 1, part);
    }
    assert.equal(provider.bus.stats().delivered, 2);
  });
}

test("records that a receiver rejects are told", async () => {
  const partialSuccess = { rejectedLogRecords: "1", errorMessage: "too old" };
  const { fetch } = receiver(new Response(JSON.stringify({ partialSuccess })));
  /** @type {any[]} */
  const drops = [];
  const onDrop = (/** @type {any} */ drop) => void drops.push(drop);
  const bus = { onDrop, shards: 1 };
  const provider = new LoggerProvider({ url: URL_OF_LOGS, protocol: "http/json", bus, fetch });
  for (const body of ["a", "b"]) provider.getLogger("cart").emit({ body });
  await provider.forceFlush();
  const { delivered, abandoned } = provider.bus.stats();
  assert.deepEqual([delivered, abandoned.permanent], [1, 1]);
  assert.match(String(drops[0].error), /too old/);
  await provider.shutdown();
});

test("attributes of a resource that never come are told, and cost no span at once", async () => {
  const { requests, fetch } = receiver();
  const resource = {
    ...spanOf("paid").resource,
    asyncAttributesPending: true,
    waitForAsyncAttributes: () => new Promise(() => {}),
  };
  /** @type {(error: unknown) => void} */
  let tell = () => {};
  const told = new Promise((resolve) => {
    tell = resolve;
  });
  const processor = new BatchSpanProcessor({
    url: "https://collector.example/v1/traces",
    exportTimeoutMillis: 50,
    scheduledDelayMillis: 1,
    onError: tell,
    bus: { onDrop() {} },
    fetch,
  });
  processor.onEnd(/** @type {any} */ ({ ...spanOf("paid"), resource }));
  const error = /** @type {any} */ (await within(told, () => "nobody is told"));
  assert.equal(error.code, "ERR_TIMEOUT");
  const { pending, inFlight } = processor.bus.stats();
  assert.equal(pending + inFlight, 1);
  assert.lengthOf(requests, 0);
  await processor.shutdown();
});

test("an exporter gets the program's own spans", async () => {
  /** @type {unknown[]} */
  const exported = [];
  const exporter = {
    /** @param {unknown[]} spans @param {(result: { code: number }) => void} done */
    export(spans, done) {
      exported.push(...spans);
      done({ code: 0 });
    },
    async shutdown() {},
  };
  const processor = new BatchSpanProcessor({ exporter });
  const spans = ["first", "second"].map(spanOf);
  for (const span of spans) processor.onEnd(span);
  await processor.forceFlush();
  assert.lengthOf(exported, 2);
  spans.forEach((span, i) => {
    assert.strictEqual(exported[i], span);
  });
  await processor.shutdown();
});

// @ts-check
// The processors without an exporter: the receiver gets the requests of upstream's serializers.
import assert from "node:assert/strict";
import test from "node:test";
import { context, diag, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { logs } from "@opentelemetry/api-logs";
import {
  JsonLogsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider as SdkLoggerProvider } from "@opentelemetry/sdk-logs";
import { AlwaysOnSampler, TracerProvider } from "@opentelemetry/sdk-trace";
import {
  BatchLogRecordProcessor,
  BatchSpanProcessor,
  LoggerProvider,
} from "shardbus/opentelemetry";
import { answer, startReceiver } from "./receiver.mjs";
import { canonicalJson, canonicalProtobuf } from "./wire.mjs";

/** @type {["http/json", "http/protobuf"]} */
const PROTOCOLS = ["http/json", "http/protobuf"];
/** @param {string} protocol @param {Uint8Array} body */
function canonical(protocol, body) {
  if (protocol === "http/protobuf") return canonicalProtobuf(body);
  const request = JSON.parse(`${Buffer.from(body)}`);
  // Upstream has it in the resource as well, where the protocol does not.
  for (const { resource } of request.resourceLogs ?? []) delete resource.schemaUrl;
  return canonicalJson(request);
}

const ATTRIBUTES = {
  text: "short",
  long: "a longer text, which has more than thirty-two units: äöü €uro 𝄞",
  empty: "",
  yes: true,
  no: false,
  zero: 0,
  small: 7,
  large: 2 ** 40 + 1,
  beyond: 2 ** 60,
  negative: -12345678901,
  half: -0.5,
  list: ["a", "b", ""],
  numbers: [1, 2.5, -3],
};
const BODIES = [
  "text",
  "",
  42,
  0,
  true,
  ["a", 1, { deep: [null, "x"] }],
  { message: "m", nested: { n: -1 } },
  new Uint8Array([0, 1, 254, 255]),
];

/** A processor that only keeps what it gets. @template T */
class Keeper {
  /** @type {T[]} */
  records = [];
  onStart() {}
  /** @param {T} span */
  onEnd(span) {
    this.records.push(span);
  }
  /** @param {T} log */
  onEmit(log) {
    this.records.push(log);
  }
  async forceFlush() {}
  async shutdown() {}
}

for (const protocol of PROTOCOLS) {
  test(`log records arrive as upstream serialises them, by ${protocol}`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    /** @type {Keeper<import("@opentelemetry/sdk-logs").ReadableLogRecord>} */
    const keeper = new Keeper();
    const ours = new BatchLogRecordProcessor({ url: `${receiver.url}/v1/logs`, protocol });
    const resource = resourceFromAttributes({ "service.name": "shop", ...ATTRIBUTES });
    const provider = new SdkLoggerProvider({ resource, processors: [keeper, ours] });
    const other = new SdkLoggerProvider({
      resource: resourceFromAttributes(
        { "service.name": "other" },
        { schemaUrl: "https://schema" },
      ),
      processors: [keeper, ours],
    });
    const loggers = [
      provider.getLogger("a", "1.0", { schemaUrl: "https://schema/a" }),
      provider.getLogger("b"),
      other.getLogger("a", "1.0"),
    ];
    const spanContext = {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
    };
    for (const [i, body] of BODIES.entries()) {
      loggers[i % loggers.length].emit({
        body,
        attributes: ATTRIBUTES,
        severityNumber: i,
        severityText: i % 2 === 0 ? "INFO" : undefined,
        eventName: i === 1 ? "clicked" : undefined,
        timestamp: [1_790_000_000 + i, 5 + i],
        context: i % 2 === 0 ? trace.setSpanContext(ROOT_CONTEXT, spanContext) : undefined,
      });
    }
    await ours.forceFlush();
    assert.equal(receiver.requests.length, 1);
    const [{ url, headers, body }] = receiver.requests;
    assert.equal(url, "/v1/logs");
    const isJson = protocol === "http/json";
    assert.equal(headers["content-type"], isJson ? "application/json" : "application/x-protobuf");
    const serializer = isJson ? JsonLogsSerializer : ProtobufLogsSerializer;
    const theirs = serializer.serializeRequest(keeper.records) ?? new Uint8Array();
    assert.deepEqual(canonical(protocol, body), canonical(protocol, theirs));
    await ours.shutdown();
  });

  test(`records of many scopes arrive under their own, by ${protocol}`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    /** @type {Keeper<import("@opentelemetry/sdk-logs").ReadableLogRecord>} */
    const keeper = new Keeper();
    const limits = { maxExportBatchSize: 1000 };
    const ours = new BatchLogRecordProcessor({ url: receiver.url, protocol, ...limits });
    const provider = new SdkLoggerProvider({ processors: [keeper, ours] });
    // The first one alone is a request of its own.
    provider.getLogger("first").emit({ body: "alone, [1,2] and a }{" });
    await ours.forceFlush();
    for (let i = 0; i < 900; i++) provider.getLogger(`scope ${i % 300}`).emit({ body: i });
    await ours.forceFlush();
    const serializer = protocol === "http/json" ? JsonLogsSerializer : ProtobufLogsSerializer;
    const parts = [keeper.records.slice(0, 1), keeper.records.slice(1)];
    assert.deepEqual(
      receiver.requests.map(({ body }) => canonical(protocol, body)),
      parts.map((part) =>
        canonical(protocol, serializer.serializeRequest(part) ?? new Uint8Array()),
      ),
    );
    await ours.shutdown();
  });

  test(`records have their own scopes however many came before, by ${protocol}`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    const provider = new LoggerProvider({ url: receiver.url, protocol });
    for (let i = 0; i < 5600; i++) {
      // Its body is its scope's name.
      provider.getLogger(`scope ${i}.`).emit({ body: `scope ${i}.` });
      if (i % 700 === 699) await provider.forceFlush();
    }
    assert.equal(provider.bus.stats().delivered, 5600);
    const text = Buffer.concat(receiver.requests.map(({ body }) => body)).toString();
    const names = [...text.matchAll(/scope \d+\./g)].map(([name]) => name);
    assert.equal(names.length, 11_200);
    for (let i = 0; i < names.length; i += 2) assert.equal(names[i], names[i + 1]);
    await provider.shutdown();
  });

  test(`spans arrive as upstream serialises them, by ${protocol}`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    /** @type {Keeper<import("@opentelemetry/sdk-trace").ReadableSpan>} */
    const keeper = new Keeper();
    const ours = new BatchSpanProcessor({ url: `${receiver.url}/v1/traces`, protocol });
    const provider = new TracerProvider({
      sampler: new AlwaysOnSampler(),
      resource: resourceFromAttributes(ATTRIBUTES),
      spanProcessors: [keeper, ours],
    });
    const parent = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      traceFlags: 1,
      isRemote: true,
    });
    for (const name of ["a", "b", "a"]) {
      const span = provider.getTracer(name, "2").startSpan(
        `span ${name}`,
        {
          kind: SpanKind.SERVER,
          attributes: ATTRIBUTES,
          links: [
            {
              context: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 0 },
              attributes: { l: 1 },
            },
          ],
          startTime: [1_790_000_000, 999_999_999],
        },
        parent,
      );
      span.addEvent("event", { e: [1, 2] }, [1_790_000_001, 1]);
      span.setStatus({ code: SpanStatusCode.ERROR, message: "no" });
      span.end([1_790_000_002, 123_456_789]);
    }
    provider.getTracer("root").startSpan("root").end();
    await ours.forceFlush();
    assert.equal(receiver.requests.length, 1);
    const serializer = protocol === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
    const theirs = serializer.serializeRequest(keeper.records) ?? new Uint8Array();
    assert.deepEqual(canonical(protocol, receiver.requests[0].body), canonical(protocol, theirs));
    await ours.shutdown();
  });

  test(`a record that cannot be sent is counted, and costs no other one, by ${protocol}`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    /** @type {unknown[]} */
    const errors = [];
    /** @type {import("shardbus").Drop[]} */
    const drops = [];
    const provider = new LoggerProvider({
      url: receiver.url,
      protocol,
      onError: (error) => errors.push(error),
      bus: { onDrop: (drop) => void drops.push(drop) },
    });
    const logger = provider.getLogger("a");
    /** @type {Record<string, unknown>} */
    const circular = {};
    circular.self = circular;
    logger.emit({ body: circular });
    logger.emit({ body: "no time", timestamp: new Date(Number.NaN) });
    logger.emit({ body: "before 1970", timestamp: new Date(-1500) });
    logger.emit({ body: "no severity", severityNumber: -1 });
    logger.emit({ body: "no severity", severityNumber: 1.5 });
    const unreadable = {
      get message() {
        throw new Error("no message");
      },
    };
    logger.emit({ body: "no exception", exception: unreadable });
    logger.emit({ body: "sound", severityText: /** @type {any} */ (5) });
    await provider.shutdown();
    const { offered, delivered, rejected } = provider.bus.stats();
    assert.deepEqual([offered, delivered, rejected.invalid], [7, 1, 6]);
    assert.equal(errors.length, 6);
    assert.match(String(errors[3]), /cannot be encoded: -1 is no whole number/);
    assert.match(String(errors[1]), /cannot be encoded: The time \[NaN, NaN\] is not between/);
    assert.deepEqual(
      drops.map(({ reason, count }) => [reason, count]),
      [["invalid", 6]],
    );
    assert.ok(receiver.requests[0].body.includes("sound"));
    assert.ok(!receiver.requests[0].body.includes("1970"));
    if (protocol === "http/json") {
      const { resourceLogs } = JSON.parse(String(receiver.requests[0].body));
      assert.equal(resourceLogs[0].scopeLogs[0].logRecords[0].severityText, "5");
    }
  });

  test(`records that a receiver rejects are abandoned, and not sent again, by ${protocol}`, async (t) => {
    const rejection =
      protocol === "http/json"
        ? JSON.stringify({ partialSuccess: { rejectedLogRecords: "2", errorMessage: "too old" } })
        : Buffer.from([10, 11, 8, 2, 18, 7, ...Buffer.from("too old")]);
    const receiver = await startReceiver(answer(200, rejection));
    t.after(() => receiver.stop());
    /** @type {import("shardbus").Drop[]} */
    const drops = [];
    const provider = new LoggerProvider({
      url: receiver.url,
      protocol,
      bus: { onDrop: (drop) => void drops.push(drop) },
    });
    for (let i = 0; i < 5; i++) provider.getLogger("a").emit({ body: i });
    await provider.forceFlush();
    const { delivered, abandoned } = provider.bus.stats();
    assert.equal(delivered, 3);
    assert.equal(abandoned.permanent, 2);
    assert.equal(receiver.requests.length, 1);
    assert.match(String(drops[0].error), /rejected 2 of 5 logs, without saying which: too old/);
    await provider.shutdown();
  });
}

test("an unavailable receiver gets the same request again, not before Retry-After", async (t) => {
  const receiver = await startReceiver(answer(503, "", { "retry-after": "1" }));
  t.after(() => receiver.stop());
  const provider = new LoggerProvider({ url: receiver.url, compression: "gzip" });
  provider.getLogger("a").emit({ body: "x" });
  const start = performance.now();
  await provider.forceFlush();
  assert.ok(performance.now() - start >= 1000, "after the second that it asked for");
  assert.equal(receiver.requests.length, 2);
  const [first, second] = receiver.requests;
  assert.equal(first.headers["content-encoding"], "gzip");
  assert.deepEqual(first.body, second.body);
  assert.equal(first.headers["idempotency-key"], second.headers["idempotency-key"]);
  await provider.shutdown();
});

test("a request that the protocol forbids to repeat is not sent again", async (t) => {
  const receiver = await startReceiver(answer(500), answer(400));
  t.after(() => receiver.stop());
  /** @type {unknown[]} */
  const errors = [];
  const provider = new LoggerProvider({
    url: receiver.url,
    onError: (error) => errors.push(error),
    bus: { onDrop: () => {} },
  });
  for (let i = 0; i < 2; i++) {
    provider.getLogger("a").emit({ body: "x" });
    await provider.forceFlush();
  }
  assert.equal(receiver.requests.length, 2);
  assert.equal(provider.bus.stats().abandoned.permanent, 2);
  assert.equal(errors.length, 2);
  await provider.shutdown();
});

test("the connection of a refused request is used again", async (t) => {
  const refusal = answer(400, "x".repeat(60_000));
  const receiver = await startReceiver(...Array(6).fill(refusal));
  t.after(() => receiver.stop());
  const bus = { onDrop: () => {} };
  const provider = new LoggerProvider({ url: receiver.url, onError: () => {}, bus });
  for (let i = 0; i < 6; i++) {
    provider.getLogger("a").emit({ body: "x" });
    await provider.forceFlush();
  }
  assert.equal(receiver.requests.length, 6);
  assert.ok(receiver.sockets.size < 3, `${receiver.sockets.size} connections`);
  await provider.shutdown();
});

test("answers of an outage are waited for, and all others are final", async (t) => {
  const passing = [408, 425, 429, 502, 503, 504, 511];
  const receiver = await startReceiver(...passing.map((status) => answer(status)), answer(200));
  t.after(() => receiver.stop());
  const retry = { baseDelayMs: 1, maxDelayMs: 1, maxAttempts: 2 };
  const provider = new LoggerProvider({ url: receiver.url, onError: () => {}, bus: { retry } });
  provider.getLogger("a").emit({ body: "x" });
  await provider.forceFlush();
  assert.equal(receiver.requests.length, passing.length + 1);
  assert.equal(provider.bus.stats().delivered, 1);
  await provider.shutdown();
});

const LIMIT = { timeout: 30_000 };

test("a flush in an outage ends at its limit, and the records wait on", LIMIT, async () => {
  const receiver = await startReceiver();
  await receiver.stop();
  /** @type {unknown[]} */
  const errors = [];
  const options = {
    url: receiver.url,
    exportTimeoutMillis: 200,
    onError: (/** @type {unknown} */ error) => void errors.push(error),
    bus: { onDrop: () => {} },
  };
  const provider = new LoggerProvider(options);
  provider.getLogger("a").emit({ body: "x" });
  // As upstream's, it resolves, and tells of the failure otherwise.
  await provider.forceFlush();
  assert.ok(errors.some((error) => /** @type {Error} */ (error).name === "TimeoutError"));
  const { pending, inFlight } = provider.bus.stats();
  assert.equal(pending + inFlight, 1);

  const spans = new BatchSpanProcessor(options);
  const tracers = new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [spans] });
  tracers.getTracer("a").startSpan("x").end();
  await assert.rejects(spans.forceFlush(), { name: "TimeoutError" });
  await Promise.all([provider.shutdown(), tracers.shutdown()]);
});

test("a shutdown in an outage ends at its limit, and reports the rest as lost", LIMIT, async () => {
  const receiver = await startReceiver();
  await receiver.stop();
  /** @type {import("shardbus").Drop[]} */
  const drops = [];
  const provider = new LoggerProvider({
    url: receiver.url,
    exportTimeoutMillis: 200,
    onError: () => {},
    bus: { onDrop: (drop) => void drops.push(drop) },
  });
  provider.getLogger("a").emit({ body: "x" });
  await provider.shutdown();
  assert.deepEqual(
    drops.map(({ reason, count }) => [reason, count]),
    [["shutdown", 1]],
  );
});

test("values that are empty, 0 or false keep their type", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const values = { s: "", n: 0, b: false, l: [] };
  for (const protocol of PROTOCOLS) {
    const provider = new LoggerProvider({ url: receiver.url, protocol });
    provider.getLogger("a").emit({ attributes: values });
    await provider.shutdown();
  }
  const [json, protobuf] = receiver.requests.map(({ body }) => body);
  const [{ attributes }] = JSON.parse(`${json}`).resourceLogs[0].scopeLogs[0].logRecords;
  assert.deepEqual(attributes, [
    { key: "s", value: { stringValue: "" } },
    { key: "n", value: { intValue: 0 } },
    { key: "b", value: { boolValue: false } },
    { key: "l", value: { arrayValue: { values: [] } } },
  ]);
  // Each as field 6 of its record: the key, and a value with the field of its type.
  const pairs = { s: "0a00", n: "1800", b: "1000", l: "2a00" };
  for (const [key, value] of Object.entries(pairs)) {
    const pair = `32070a01${Buffer.from(key).toString("hex")}1202${value}`;
    assert.ok(protobuf.toString("hex").includes(pair), key);
  }
});

test("times and integers have the digits that receivers read", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const provider = new LoggerProvider({ url: receiver.url, protocol: "http/json" });
  const emit = (/** @type {unknown} */ body, /** @type {[number, number]} */ timestamp) =>
    provider.getLogger("a").emit({ body, timestamp });
  emit(-(2 ** 63), [5, 1e9]);
  emit(2 ** 62, [1_790_000_000, 7]);
  await provider.shutdown();
  const text = `${receiver.requests[0].body}`;
  assert.deepEqual(text.match(/"timeUnixNano":"\d+"|"intValue":-?\d+/g), [
    '"timeUnixNano":"6000000000"',
    '"intValue":-9223372036854775808',
    '"timeUnixNano":"1790000000000000007"',
    '"intValue":4611686018427387904',
  ]);
});

test("the environment says where to send to, and options go before it", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/base/`,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own`,
    OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20a,x-team=core",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "authorization=Bearer%20b",
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
    OTEL_SERVICE_NAME: "shop",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=other,host.name=h",
  };
  const provider = new LoggerProvider({ env, compression: "none" });
  provider.getLogger("a").emit({ body: "x" });
  await provider.shutdown();
  const spans = new BatchSpanProcessor({ env });
  const tracers = new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [spans] });
  tracers.getTracer("a").startSpan("s").end();
  await spans.shutdown();

  const [log, span] = receiver.requests;
  assert.equal(log.url, "/base/v1/logs");
  assert.equal(log.headers.authorization, "Bearer a");
  assert.equal(log.headers["x-team"], "core");
  assert.equal(log.headers["content-encoding"], undefined);
  const { resource } = JSON.parse(`${log.body}`).resourceLogs[0];
  assert.deepEqual(resource.attributes, [
    { key: "service.name", value: { stringValue: "shop" } },
    { key: "host.name", value: { stringValue: "h" } },
  ]);
  assert.equal(span.url, "/own");
  assert.equal(span.headers.authorization, "Bearer b");
  assert.equal(span.headers["content-encoding"], "gzip");
  assert.equal(span.headers["content-type"], "application/x-protobuf");
});

test("an environment variable that cannot be used is told", async (t) => {
  /** @type {string[]} */
  const warnings = [];
  const nothing = () => {};
  diag.setLogger({
    warn: (message) => void warnings.push(message),
    error: nothing,
    info: nothing,
    debug: nothing,
    verbose: nothing,
  });
  t.after(() => diag.disable());
  const env = {
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
    OTEL_EXPORTER_OTLP_COMPRESSION: "zstd",
    OTEL_EXPORTER_OTLP_TIMEOUT: "10s",
    OTEL_BLRP_MAX_QUEUE_SIZE: "-1",
    OTEL_BLRP_SCHEDULE_DELAY: "",
  };
  await new LoggerProvider({ env }).shutdown();
  assert.deepEqual(
    warnings.map((warning) => /grpc|zstd|10s|-1/.exec(warning)?.[0]),
    ["grpc", "zstd", "10s", "-1"],
  );
});

test("a provider without the SDK sends what the SDK's would", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.stop());
  const attributes = { "service.name": "shop" };
  const env = {};
  const ours = new LoggerProvider({
    url: receiver.url,
    protocol: "http/json",
    resource: attributes,
    env,
  });
  const processor = new BatchLogRecordProcessor({ url: receiver.url, protocol: "http/json" });
  const theirs = new SdkLoggerProvider({
    resource: resourceFromAttributes(attributes),
    processors: [processor],
  });
  const failure = new TypeError("no");
  const spanContext = { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 };
  for (const provider of [ours, theirs]) {
    logs.setGlobalLoggerProvider(provider);
    logs.getLogger("a", "1", { schemaUrl: "https://schema" }).emit({
      body: { text: "x" },
      attributes: ATTRIBUTES,
      timestamp: new Date(1_790_000_000_123),
      observedTimestamp: 1_790_000_000_456,
      exception: failure,
      severityNumber: 9,
      context: trace.setSpanContext(context.active(), spanContext),
    });
    await provider.forceFlush();
    logs.disable();
  }
  const [a, b] = receiver.requests.map(({ body }) => canonicalJson(JSON.parse(`${body}`)));
  const sorted = (/** @type {any} */ request) => {
    request.resourceLogs[0].scopeLogs[0].logRecords[0].attributes.sort(
      (/** @type {any} */ x, /** @type {any} */ y) => (x.key < y.key ? -1 : 1),
    );
    return request;
  };
  assert.deepEqual(sorted(a), sorted(b));
  await ours.shutdown();
  await theirs.shutdown();
});

test("options of the receiver beside an exporter are refused", () => {
  const exporter = { export() {}, async shutdown() {} };
  assert.throws(
    () => new BatchSpanProcessor({ exporter, url: "http://localhost" }),
    /`url` is an option of a processor without an exporter/,
  );
  // @ts-expect-error no exporter
  assert.throws(() => new BatchSpanProcessor({ exporter: {} }), /it must be an exporter/);
});

// Vendors' SDKs, from their call for an event to the bytes that they would send, in their own formats.

import { exporter, logProcessor, QUEUE } from "./libraries.mjs";

const encoder = new TextEncoder();
const INTERVAL_MS = 1000;
const TIMEOUT_MS = 600_000;
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

async function opentelemetry({ batchSize, deliver }) {
  const { LoggerProvider } = await import("@opentelemetry/sdk-logs");
  const { JsonLogsSerializer } = await import("@opentelemetry/otlp-transformer");
  const encode = (records) => JsonLogsSerializer.serializeRequest(records);
  const processor = await logProcessor(batchSize, exporter(deliver, encode));
  const provider = new LoggerProvider({ processors: [processor] });
  const logger = provider.getLogger("bench");
  return {
    push(event) {
      const { type, ts } = event;
      logger.emit({ body: type, attributes: event, timestamp: ts, severityNumber: 9 });
    },
    finish: () => provider.shutdown(),
  };
}

/** Sends every 100 logs, whatever one would like. */
async function sentry({ deliver }) {
  const { _INTERNAL_captureLog, createTransport, Scope } = await import("@sentry/core");
  const { ServerRuntimeClient } = await import("@sentry/core/server");
  const send = async ({ body }) => {
    await deliver(typeof body === "string" ? encoder.encode(body) : body);
    return { statusCode: 200, headers: {} };
  };
  const client = new ServerRuntimeClient({
    dsn: "https://a@b.ingest/1",
    enableLogs: true,
    integrations: [],
    stackParser: () => [],
    sendClientReports: false,
    transport: (options) => createTransport({ ...options, recordDroppedEvent() {} }, send),
  });
  client.init();
  const scope = new Scope();
  scope.setClient(client);
  return {
    push(event) {
      _INTERNAL_captureLog({ level: "info", message: event.type, attributes: event }, scope);
    },
    finish: () => client.flush(TIMEOUT_MS),
  };
}

/** Sends every 50 messages or 16 KiB. It is made for pages, so it gets a stand-in of one. */
async function datadog({ deliver }) {
  let sends = Promise.resolve();
  const nothing = () => {};
  const listeners = { addEventListener: nothing, removeEventListener: nothing };
  globalThis.window = Object.assign(globalThis, listeners);
  globalThis.document = { ...listeners, visibilityState: "visible" };
  globalThis.navigator ??= { onLine: true };
  globalThis.fetch = (_url, { body }) => {
    const answer = deliver(encoder.encode(body)).then(() => new Response("", { status: 202 }));
    sends = Promise.all([sends, answer]);
    return answer;
  };
  const { createBatch } = await import("@datadog/browser-core");
  const batch = createBatch({
    endpoints: [{ build: () => "http://x/", trackType: "logs" }],
    reportError() {},
  });
  return {
    push: (event) => batch.add(event),
    async finish() {
      batch.forceFlush("session_expire");
      // It limits its concurrent requests, and has no event for its end.
      for (let i = 0; i < 50; i++) {
        await sends;
        await nextTurn();
      }
    },
  };
}

async function snowplow({ batchSize, deliver }) {
  const { newEmitter, newInMemoryEventStore } = await import("@snowplow/tracker-core");
  const emitter = newEmitter({
    endpoint: "http://x",
    bufferSize: batchSize,
    maxPostBytes: 1e9,
    eventStore: newInMemoryEventStore({ maxSize: QUEUE }),
    async customFetch(request) {
      await deliver(new Uint8Array(await request.arrayBuffer()));
      return new Response("ok");
    },
  });
  let inputs = [];
  return {
    push(event) {
      inputs.push(emitter.input(event));
      if (inputs.length > 4096) inputs = [Promise.all(inputs)];
    },
    async finish() {
      await Promise.all(inputs);
      for (let i = 0; i < 20; i++) {
        await emitter.flush();
        await nextTurn();
      }
    },
  };
}

async function segment({ batchSize, deliver }) {
  const { Analytics } = await import("@segment/analytics-node");
  const ok = { ok: true, status: 200, statusText: "OK", headers: {} };
  const analytics = new Analytics({
    writeKey: "x",
    flushAt: batchSize,
    flushInterval: INTERVAL_MS,
    async httpClient(_url, { body }) {
      await deliver(encoder.encode(body));
      return { ...ok, text: async () => "", json: async () => ({}) };
    },
  });
  return {
    push(event) {
      analytics.track({ userId: event.user, event: event.type, properties: event });
    },
    finish: () => analytics.closeAndFlush({ timeout: TIMEOUT_MS }),
  };
}

async function posthog({ batchSize, deliver }) {
  const { PostHog } = await import("posthog-node");
  const client = new PostHog("k", {
    host: "http://x",
    flushAt: batchSize,
    maxBatchSize: batchSize,
    maxQueueSize: QUEUE,
    flushInterval: INTERVAL_MS,
    disableCompression: true,
    disableGeoip: true,
    async fetch(_url, { body }) {
      await deliver(encoder.encode(body));
      const headers = { get: () => null };
      return { status: 200, text: async () => "", json: async () => ({}), headers };
    },
  });
  return {
    push(event) {
      client.capture({ distinctId: event.user, event: event.type, properties: event });
    },
    finish: () => client.shutdown(TIMEOUT_MS),
  };
}

/** Goes by time alone, so it is told to flush after every batch. */
async function amplitude({ batchSize, deliver }) {
  const { Destination } = await import("@amplitude/analytics-core");
  const nothing = () => {};
  const destination = new Destination();
  const body = { eventsIngested: 1, payloadSizeBytes: 1, serverUploadTime: 1 };
  await destination.setup({
    apiKey: "k".repeat(12),
    flushIntervalMillis: INTERVAL_MS,
    flushQueueSize: batchSize,
    flushMaxRetries: 3,
    loggerProvider: { debug: nothing, warn: nothing, error: nothing, log: nothing },
    serverZone: "US",
    serverUrl: "http://x",
    transportProvider: {
      async send(_url, { events }) {
        await deliver(encoder.encode(JSON.stringify(events)));
        return { status: "success", statusCode: 200, body };
      },
    },
  });
  let count = 0;
  return {
    push(event) {
      destination.execute({ event_type: event.type, event_properties: event });
      if (++count % batchSize === 0) destination.flush(true);
    },
    async finish() {
      while (destination.queue.length > 0) {
        await destination.flush(true);
        await nextTurn();
      }
      clearTimeout(destination.scheduleId);
    },
  };
}

const fast = { group: "sdk", input: "object" };
const sdk = { ...fast, isSlow: true };

export const sdks = {
  opentelemetry: { ...sdk, about: "OpenTelemetry logs to OTLP/JSON", create: opentelemetry },
  sentry: { ...sdk, about: "Sentry logs", create: sentry },
  datadog: { ...fast, about: "Datadog's batch for browsers", create: datadog },
  snowplow: { ...sdk, about: "Snowplow's emitter", create: snowplow },
  posthog: { ...sdk, about: "PostHog for Node", create: posthog },
  amplitude: { ...sdk, about: "Amplitude's destination", create: amplitude },
  segment: { ...sdk, about: "Segment for Node", create: segment },
};

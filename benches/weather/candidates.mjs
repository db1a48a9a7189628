// The candidates, each set up as its own documentation shows, with its defaults.

/** @typedef {{ push: (n: number) => void, finish: () => Promise<unknown> }} Candidate */

/** @param {string} url */
async function array(url) {
  let events = [];
  async function post() {
    const body = events;
    events = [];
    if (body.length === 0) return;
    const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`status ${response.status}`);
  }
  const timer = setInterval(() => post().catch(() => {}), 1000);
  const finish = () => {
    clearInterval(timer);
    return post();
  };
  return { push: (n) => events.push({ mark: `mark-${n}` }), finish };
}

/** @param {string} url */
async function opentelemetry(url) {
  const { BatchLogRecordProcessor, LoggerProvider } = await import("@opentelemetry/sdk-logs");
  const { OTLPLogExporter } = await import("@opentelemetry/exporter-logs-otlp-http");
  const exporter = new OTLPLogExporter({ url });
  const provider = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] });
  const logger = provider.getLogger("weather");
  return { push: (n) => logger.emit({ body: `mark-${n}` }), finish: () => provider.shutdown() };
}

/** @param {string} url */
async function evlog(url) {
  const { createDrainPipeline } = await import("evlog/pipeline");
  const drain = createDrainPipeline()(async (events) => {
    const response = await fetch(url, { method: "POST", body: JSON.stringify(events) });
    if (!response.ok) throw new Error(`status ${response.status}`);
  });
  return { push: (n) => drain({ mark: `mark-${n}` }), finish: () => drain.flush() };
}

/** @param {string} url */
async function posthog(url) {
  const { PostHog } = await import("posthog-node");
  const client = new PostHog("key", { host: url, disableCompression: true });
  return {
    push: (n) => client.capture({ distinctId: "user", event: `mark-${n}` }),
    finish: () => client.shutdown(20_000),
  };
}

/** @param {string} url */
async function segment(url) {
  const { Analytics } = await import("@segment/analytics-node");
  const analytics = new Analytics({ writeKey: "key", host: url });
  return {
    push: (n) => analytics.track({ userId: "user", event: `mark-${n}` }),
    finish: () => analytics.closeAndFlush({ timeout: 20_000 }),
  };
}

/** @param {string} url */
async function shardbus(url) {
  const { EventBus } = await import("shardbus");
  const { httpSink } = await import("shardbus/sinks/http");
  const bus = new EventBus(httpSink(url));
  return {
    push: (n) => bus.emit({ mark: `mark-${n}` }),
    finish: () => bus.close(),
  };
}

/** @type {{ [name: string]: (url: string) => Promise<Candidate> }} */
export const candidates = { array, opentelemetry, evlog, posthog, segment, shardbus };

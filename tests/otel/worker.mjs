// @ts-nocheck bundled for workerd.
// A Worker whose requests log and trace: through upstream's batch processors, and through ours, with
// the same exporters and without any. `?tag=` names the records of a request.
import { LoggerProvider, BatchLogRecordProcessor as UpstreamLogs } from "@opentelemetry/sdk-logs";
import {
  AlwaysOnSampler,
  TracerProvider,
  BatchSpanProcessor as UpstreamSpans,
} from "@opentelemetry/sdk-trace";
import { BatchLogRecordProcessor, BatchSpanProcessor } from "shardbus/opentelemetry";

const COLLECTOR = "http://collector.example";

/** An exporter that posts the names of its records. */
const exporter = (path) => ({
  export(records, done) {
    const names = records.map(({ name, body }) => name ?? body);
    fetch(`${COLLECTOR}/${path}`, { method: "POST", body: JSON.stringify(names) })
      .then((answer) => answer.text())
      .then(
        () => done({ code: 0 }),
        (error) => done({ code: 1, error }),
      );
  },
  async forceFlush() {},
  async shutdown() {},
});

const LIMITS = { maxExportBatchSize: 5, scheduledDelayMillis: 500, exportTimeoutMillis: 2000 };
const otlp = (path) => ({ ...LIMITS, url: `${COLLECTOR}/${path}`, protocol: "http/json" });

let processors;
let loggers;
let tracers;

/** Made by the first request: upstream's log processor needs random numbers. */
function setUp() {
  processors = {
    "upstream-logs": new UpstreamLogs({ ...LIMITS, exporter: exporter("upstream-logs") }),
    "upstream-spans": new UpstreamSpans({ ...LIMITS, exporter: exporter("upstream-spans") }),
    "exporter-logs": new BatchLogRecordProcessor({
      ...LIMITS,
      exporter: exporter("exporter-logs"),
    }),
    "exporter-spans": new BatchSpanProcessor({ ...LIMITS, exporter: exporter("exporter-spans") }),
    "otlp-logs": new BatchLogRecordProcessor(otlp("otlp-logs")),
    "otlp-spans": new BatchSpanProcessor(otlp("otlp-spans")),
  };
  const ofKind = (kind) =>
    Object.entries(processors).flatMap(([name, it]) => (name.endsWith(kind) ? [it] : []));
  loggers = new LoggerProvider({ processors: ofKind("-logs") });
  tracers = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: ofKind("-spans"),
  });
}

const LIMIT_MS = 4000;

/** The outcome of a promise. */
const outcome = (promise) =>
  Promise.race([
    promise.then(
      () => "ok",
      (error) => `rejected: ${error.message}`,
    ),
    new Promise((resolve) => setTimeout(resolve, LIMIT_MS, `hung for ${LIMIT_MS} ms`)),
  ]);

export default {
  async fetch(request) {
    if (processors === undefined) setUp();
    const { pathname, searchParams } = new URL(request.url);
    for (let i = 0; i < Number(searchParams.get("n")); i++) {
      const name = searchParams.get("tag") + i;
      loggers.getLogger("worker").emit({ body: name });
      tracers.getTracer("worker").startSpan(name).end();
    }
    const flush = ([name, it]) => [name, it.forceFlush()];
    if (pathname === "/begin") for (const one of Object.entries(processors)) flush(one);
    if (pathname !== "/flush") return Response.json({});
    const flushes = Object.entries(processors).map(flush);
    const outcomes = flushes.map(async ([name, promise]) => [name, await outcome(promise)]);
    return Response.json(Object.fromEntries(await Promise.all(outcomes)));
  },
};

/** Expected by the tests' configuration. */
export class FlushingObject {}

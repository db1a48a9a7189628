// Libraries that queue and batch, each as its documentation has it, with the events as they are.

const encoder = new TextEncoder();
const asJsonArray = (events) => encoder.encode(JSON.stringify(events));

/** More than is ever offered at once: where a queue has a limit, nothing is to be dropped. */
export const QUEUE = 2_000_000;
const INTERVAL_MS = 1000;

async function evlog({ batchSize, deliver }) {
  const { createDrainPipeline } = await import("evlog/pipeline");
  const batch = { size: batchSize, intervalMs: INTERVAL_MS };
  const pipeline = createDrainPipeline({ batch, maxBufferSize: QUEUE });
  const push = pipeline((events) => deliver(asJsonArray(events)));
  return { push, finish: () => push.flush() };
}

/** An exporter of OpenTelemetry, given its serialisation of records. */
export function exporter(deliver, encode) {
  return {
    export(records, done) {
      deliver(encode(records)).then(
        () => done({ code: 0 }),
        (error) => done({ code: 1, error }),
      );
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  };
}

/** OpenTelemetry's batching of logs. */
export async function logProcessor(batchSize, exporter) {
  const { BatchLogRecordProcessor } = await import("@opentelemetry/sdk-logs");
  return new BatchLogRecordProcessor({
    exporter,
    maxExportBatchSize: batchSize,
    maxQueueSize: QUEUE,
    scheduledDelayMillis: INTERVAL_MS,
  });
}

async function opentelemetryProcessor({ batchSize, deliver }) {
  const encode = (records) => asJsonArray(records.map((record) => record.body));
  const processor = await logProcessor(batchSize, exporter(deliver, encode));
  const resource = {};
  return {
    push: (event) => processor.onEmit({ body: event, resource }),
    finish: () => processor.shutdown(),
  };
}

async function rxjs({ batchSize, deliver }) {
  const { Subject, bufferTime, concatMap, filter } = await import("rxjs");
  const events = new Subject();
  const finished = new Promise((complete, error) => {
    events
      .pipe(
        bufferTime(INTERVAL_MS, null, batchSize),
        filter((batch) => batch.length > 0),
        concatMap((batch) => deliver(asJsonArray(batch))),
      )
      .subscribe({ complete, error });
  });
  return {
    push: (event) => events.next(event),
    finish() {
      events.complete();
      return finished;
    },
  };
}

async function tanstack({ batchSize, deliver }) {
  const { AsyncBatcher } = await import("@tanstack/pacer/async-batcher");
  const sends = new Set();
  const send = async (events) => {
    const sending = deliver(asJsonArray(events));
    sends.add(sending);
    await sending;
    sends.delete(sending);
  };
  const batcher = new AsyncBatcher(send, { maxSize: batchSize });
  return {
    push: (event) => batcher.addItem(event),
    async finish() {
      await batcher.flush();
      await Promise.all(sends);
    },
  };
}

async function faro({ batchSize, deliver }) {
  // It is not exported.
  const file = "../node_modules/@grafana/faro-core/dist/cjs/transports/batchExecutor.js";
  const { BatchExecutor } = (await import(file)).default;
  let sends = Promise.resolve();
  const send = (items) => {
    sends = Promise.all([sends, deliver(asJsonArray(items.map((item) => item.payload)))]);
  };
  const executor = new BatchExecutor(send, { itemLimit: batchSize, sendTimeout: INTERVAL_MS });
  const meta = { app: { name: "bench", version: "1" }, session: { id: "s_4f9c1b7e" } };
  return {
    push: (event) => executor.addItem({ type: "event", payload: event, meta }),
    async finish() {
      executor.flush();
      executor.pause();
      await sends;
    },
  };
}

async function pino({ batchSize, deliver }) {
  const { default: pino } = await import("pino");
  let lines = [];
  let sends = Promise.resolve();
  const flush = () => {
    const batch = lines;
    lines = [];
    if (batch.length > 0) sends = Promise.all([sends, deliver(encoder.encode(batch.join("")))]);
  };
  const write = (line) => {
    lines.push(line);
    if (lines.length >= batchSize) flush();
  };
  const logger = pino({ base: null, timestamp: false }, { write });
  return {
    push: (event) => logger.info(event),
    async finish() {
      flush();
      await sends;
    },
  };
}

const library = { group: "library", input: "object" };

export const libraries = {
  evlog: { ...library, about: "drain pipeline", create: evlog },
  "opentelemetry-processor": {
    ...library,
    about: "its processor for logs alone",
    create: opentelemetryProcessor,
  },
  rxjs: { ...library, about: "bufferTime and concatMap", create: rxjs },
  "tanstack-pacer": { ...library, about: "AsyncBatcher", create: tanstack },
  faro: { ...library, about: "Grafana Faro's batch executor", create: faro },
  pino: { ...library, about: "logger, its lines joined", create: pino },
};

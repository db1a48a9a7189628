// @ts-check
// The processors with stock exporters, in the SDK's versions 2 and 3.
import assert from "node:assert/strict";
import test from "node:test";
import { InMemoryLogRecordExporter, LoggerProvider } from "@opentelemetry/sdk-logs";
import { AlwaysOnSampler, InMemorySpanExporter, TracerProvider } from "@opentelemetry/sdk-trace";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { BatchLogRecordProcessor, BatchSpanProcessor } from "shardbus/opentelemetry";

const sampler = new AlwaysOnSampler();
const names = (/** @type {{ name: string }[]} */ spans) => spans.map(({ name }) => name);

test("an exporter gets the spans of SDK 3, and the program's own objects", async () => {
  const exporter = new InMemorySpanExporter();
  const processor = new BatchSpanProcessor({ exporter });
  const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
  const span = provider.getTracer("t").startSpan("a");
  span.end();
  provider.getTracer("t").startSpan("b").end();
  await provider.forceFlush();
  assert.deepEqual(names(exporter.getFinishedSpans()), ["a", "b"]);
  assert.equal(exporter.getFinishedSpans()[0], span);
  await provider.shutdown();
});

test("an exporter gets the spans of SDK 2, by its constructor", async () => {
  const exporter = new InMemorySpanExporter();
  const processor = new BatchSpanProcessor(exporter, { maxExportBatchSize: 2 });
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  for (const name of ["a", "b", "c"]) provider.getTracer("t").startSpan(name).end();
  await provider.forceFlush();
  assert.deepEqual(names(exporter.getFinishedSpans()), ["a", "b", "c"]);
  assert.equal(processor.bus.stats().batches.delivered, 2);
  await provider.shutdown();
});

test("an exporter gets log records, and losses are counted and told", async () => {
  const exporter = new InMemoryLogRecordExporter();
  /** @type {import("shardbus").Drop[]} */
  const drops = [];
  const processor = new BatchLogRecordProcessor({
    exporter,
    bus: { onDrop: (drop) => void drops.push(drop) },
    onError: () => {},
  });
  const provider = new LoggerProvider({ processors: [processor] });
  provider.getLogger("l").emit({ body: "a" });
  await provider.forceFlush();
  assert.deepEqual(
    exporter.getFinishedLogRecords().map(({ body }) => body),
    ["a"],
  );
  exporter.export = (_, done) => done({ code: 1, error: new Error("no") });
  provider.getLogger("l").emit({ body: "b" });
  await provider.forceFlush();
  assert.equal(drops[0]?.reason, "permanent");
  assert.match(String(drops[0]?.error), /no/);
  assert.equal(processor.bus.stats().abandoned.permanent, 1);
  await provider.shutdown();
});

test("a failed export costs its own records alone", async () => {
  const exporter = new InMemorySpanExporter();
  const exportAll = exporter.export.bind(exporter);
  exporter.export = (spans, done) =>
    names(spans).includes("bad") ? done({ code: 1 }) : exportAll(spans, done);
  const processor = new BatchSpanProcessor({
    exporter,
    maxExportBatchSize: 2,
    bus: { onDrop: () => {} },
  });
  const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
  for (const name of ["a", "b", "bad", "c", "d", "e"])
    provider.getTracer("t").startSpan(name).end();
  await assert.rejects(processor.forceFlush(), /span export failed/);
  assert.deepEqual(names(exporter.getFinishedSpans()), ["a", "b", "d", "e"]);
  await provider.shutdown();
});

test("an exporter whose `forceFlush` throws, or returns nothing, fails no flush", async () => {
  const refuse = () => {
    throw new Error("no flush");
  };
  for (const [forceFlush, told] of /** @type {const} */ ([
    [() => {}, 0],
    [refuse, 1],
  ])) {
    const exporter = Object.assign(new InMemorySpanExporter(), {
      forceFlush,
      async shutdown() {},
    });
    /** @type {unknown[]} */
    const errors = [];
    const processor = new BatchSpanProcessor({
      exporter: /** @type {any} */ (exporter),
      onError: (error) => void errors.push(error),
    });
    const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
    provider.getTracer("t").startSpan("a").end();
    await processor.forceFlush();
    assert.equal(processor.bus.stats().delivered, 1);
    assert.equal(errors.length, told);
    await provider.shutdown();
  }
});

test("a delay of 0 exports soon", { timeout: 30_000 }, async () => {
  /** @type {() => void} */
  let done = () => {};
  const exported = new Promise((resolve) => {
    done = () => resolve(undefined);
  });
  const exporter = new InMemorySpanExporter();
  exporter.export = (_, end) => {
    end({ code: 0 });
    done();
  };
  const processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 0 });
  const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
  const alive = setInterval(() => {}, 1000);
  provider.getTracer("t").startSpan("a").end();
  await exported;
  clearInterval(alive);
  await provider.shutdown();
});

test("a batch whose earlier attempt ends late keeps its records", {
  timeout: 30_000,
}, async (t) => {
  // Timers of a request that has ended never fire: here, those of the exports.
  const EXPORT_MS = 47;
  const { setTimeout } = globalThis;
  t.after(() => Object.assign(globalThis, { setTimeout }));
  const stub = (/** @type {any[]} */ ...[task, ms, ...rest]) =>
    ms === EXPORT_MS ? undefined : setTimeout(task, ms, ...rest);
  Object.assign(globalThis, { setTimeout: stub });
  /** @type {{ names: string[], done: (result: { code: number }) => void }[]} */
  const exports = [];
  const processor = new BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        exports.push({ names: names(spans), done });
        // The second attempt hangs as well, while the first one fails.
        if (exports.length === 2) exports[0].done({ code: 1 });
        if (exports.length > 2) done({ code: 0 });
      },
      async shutdown() {},
    },
    maxExportBatchSize: 1,
    exportTimeoutMillis: EXPORT_MS,
    onError: () => {},
    bus: { onDrop: () => {}, retry: { baseDelayMs: 1, maxDelayMs: 1 } },
  });
  const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
  for (const name of ["a", "b", "c"]) provider.getTracer("t").startSpan(name).end();
  await processor.forceFlush().catch(() => {});
  assert.deepEqual(
    exports.map((it) => it.names),
    [["a"], ["a"], ["a"], ["b"], ["c"]],
  );
  await provider.shutdown();
});

test("a processor whose full queue was drained takes records again", async () => {
  /** @type {string[][]} */
  const exported = [];
  let endFirst = () => {};
  const processor = new BatchSpanProcessor({
    exporter: {
      export(spans, done) {
        const end = () => done({ code: 0 });
        if (exported.push(names(spans)) === 1) endFirst = end;
        else end();
      },
      async shutdown() {},
    },
    maxExportBatchSize: 2,
    maxQueueSize: 2,
    bus: { onDrop: () => {} },
  });
  const provider = new TracerProvider({ sampler, spanProcessors: [processor] });
  const make = (/** @type {string} */ name) => provider.getTracer("t").startSpan(name).end();
  // Two are exported, two fill the queue, and one finds no room.
  for (const name of ["a", "b", "c", "d", "full"]) make(name);
  processor.bus.drain();
  for (const name of ["e", "f"]) make(name);
  const flushed = processor.forceFlush();
  endFirst();
  await flushed;
  assert.deepEqual(exported, [
    ["a", "b"],
    ["e", "f"],
  ]);
  await provider.shutdown();
});

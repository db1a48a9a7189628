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

// @ts-check
// The alert rules of docs/watching.md, with the names that a Prometheus exporter gives.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { DeliveryError, EventBus } from "shardbus";
import { observeBus } from "shardbus/opentelemetry";
import { customStore } from "shardbus/stores/custom";

/** The numbers of all series, by name and labels. */
async function scrape() {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  const store = customStore({
    open: async () => [],
    read: async () => undefined,
    write: async () => {},
    remove: async () => {},
  });
  let calls = 0;
  const bus = new EventBus(
    async () => {
      if (calls++ === 0) throw new DeliveryError("no", { retryable: false });
    },
    { store, onDrop: () => {} },
  );
  observeBus(bus, provider.getMeter("shardbus"), { "shardbus.bus": "clicks" });
  for (let i = 0; i < 3; i++) {
    bus.ingest(i);
    await bus.flush();
  }
  bus.ingest("pending");
  const { resourceMetrics } = await reader.collect();
  await bus.close();
  const text = new PrometheusSerializer().serialize(resourceMetrics);
  const series = text.split("\n").filter((line) => line.startsWith("shardbus_"));
  return series.map((line) => {
    const [, name = "", labels = "", value] = /^(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    return { name, labels, value: Number(value) };
  });
}

test("every alert rule names metrics and labels that there are, and the balance is 0", async () => {
  const document = await readFile(new URL("../../docs/watching.md", import.meta.url), "utf8");
  const blocks = [...document.matchAll(/```yaml\n(.*?)```/gs)];
  const rules = blocks.map(([, text]) => text).join("\n");
  const series = await scrape();
  const names = new Set(series.map(({ name }) => name));
  const used = new Set(rules.match(/\bshardbus_(?!bus\b)\w+/g));
  assert.ok(used.size >= 12, "the rules were found");
  assert.deepEqual(
    [...used].filter((name) => !names.has(name)),
    [],
  );
  const labels = new Set(series.flatMap((it) => it.labels.match(/\w+(?==)/g) ?? []));
  const lists = [...rules.matchAll(/\b(?:by|without) \((.*?)\)/g)].map(([, list = ""]) => list);
  const selected = [...rules.matchAll(/\{(\w+)[!=]/g)].map(([, label = ""]) => label);
  // The text after the rules has the last one.
  const named = [...lists.flatMap((list) => list.split(", ")), ...selected, "error_type"];
  assert.ok(named.length >= 10, "the labels were found");
  assert.deepEqual(
    named.filter((label) => !labels.has(label)),
    [],
  );

  const sum = (/** @type {string} */ name, labels = /./) =>
    series
      .filter((it) => it.name === name && labels.test(it.labels))
      .reduce((total, { value }) => total + value, 0);
  const afterAcceptance = /reason=~"(\S+)"/.exec(rules)?.[1];
  const settled =
    sum("shardbus_events_delivered_total") +
    sum("shardbus_events_drained_total") +
    sum("shardbus_events_lost_total", new RegExp(`reason="(${afterAcceptance})"`));
  const held = sum("shardbus_events_pending") + sum("shardbus_events_in_flight");
  assert.equal(sum("shardbus_events_accepted_total"), 4);
  assert.equal(sum("shardbus_events_accepted_total") - settled - held, 0);
  assert.equal(held, 1);
});

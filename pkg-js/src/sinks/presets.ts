// Sinks for receivers that take HTTP: what `httpSink` has to send and how to read the answer.
export { type AxiomOptions, axiomSink } from "./axiom.js";
export { type ClickHouseOptions, clickhouseSink } from "./clickhouse.js";
export { type DatadogOptions, datadogSink } from "./datadog.js";
export { type ElasticsearchOptions, elasticsearchSink } from "./elasticsearch.js";
export { type LokiOptions, lokiSink } from "./loki.js";
export { type NewRelicOptions, newRelicSink } from "./new-relic.js";
export type { PresetOptions } from "./preset.js";
export { type SplunkOptions, splunkSink } from "./splunk.js";

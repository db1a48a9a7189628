// The bytes of each candidate in a page, minified and gzipped: `node benches/weather/sizes.mjs`.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The imports of a page, by candidate. @type {{ [name: string]: string }} */
const imports = {
  array: `let events = []; setInterval(() => { const body = JSON.stringify(events); events = [];
    fetch("/events", { method: "POST", body }).catch(() => {}); }, 1000);
    export const push = (event) => events.push(event);`,
  opentelemetry: `export { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
    export { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";`,
  evlog: `export { createDrainPipeline } from "evlog/pipeline";`,
  "shardbus, httpSink": `export { EventBus } from "shardbus"; export { httpSink } from "shardbus/sinks/http";`,
  "shardbus/slim, httpSink, bus.wasm beside it": `export { EventBus, initialize } from "shardbus/slim";
    export { httpSink } from "shardbus/sinks/http";`,
};

for (const [name, contents] of Object.entries(imports)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    format: "esm",
    minify: true,
    platform: "browser",
    target: "es2022",
    write: false,
  });
  console.log(`${name}: ${(gzipSync(outputFiles[0]?.contents ?? "").length / 1000).toFixed(1)} kB`);
}

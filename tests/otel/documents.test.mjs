// @ts-check
// The programs of docs/integrations/opentelemetry.md, with a receiver in place of localhost:4318.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { program } from "../documents.mjs";
import { startReceiver } from "./receiver.mjs";

const DOCUMENT = "docs/integrations/opentelemetry.md";
/** Within this folder, so that Node finds the packages. */
const PLACE = new URL("node_modules/.documents/", import.meta.url);
const LIMIT_MS = 60_000;

/** Runs the program that has a text. Returns the requests that it makes, and its output. */
async function run(/** @type {string} */ text, /** @type {string} */ epilogue) {
  const receiver = await startReceiver();
  try {
    const file = new URL("program.mjs", PLACE);
    await mkdir(PLACE, { recursive: true });
    await writeFile(file, (await program(DOCUMENT, text)) + epilogue);
    const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const options = { env, timeout: LIMIT_MS };
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(file)], options);
    return { requests: receiver.requests, stdout };
  } finally {
    await receiver.stop();
  }
}

test("the document's processors send log records and export spans", async () => {
  const { requests, stdout } = await run(
    "new BatchSpanProcessor(",
    `
    loggers.getLogger("l").emit({ body: "x" });
    tracers.getTracer("t").startSpan("s").end();
    await Promise.all([loggers.forceFlush(), tracers.forceFlush()]);
    console.log(spans.bus.stats().delivered);
    await Promise.all([loggers.shutdown(), tracers.shutdown()]);
    `,
  );
  assert.deepEqual(
    requests.map(({ url }) => url),
    ["/v1/logs"],
  );
  assert.equal(stdout.trim(), "1");
});

test("the document's provider without the SDK sends its record", async () => {
  const { requests } = await run("setGlobalLoggerProvider", "");
  assert.deepEqual(
    requests.map(({ url }) => url),
    ["/v1/logs"],
  );
  assert.ok(requests[0]?.body.includes("paid"));
});

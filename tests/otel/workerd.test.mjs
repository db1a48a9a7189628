// @ts-check
// Requests of a Worker that end before their exports have: the records that upstream's processors
// lose without an error, and ours deliver.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { serve } from "../loopback.mjs";
import { startWorker } from "../runtimes/workerd/workerd.mjs";

/** The requests, and the number of records of each kind that each makes: 18 in all. */
const REQUESTS = [
  "/emit?n=5&tag=full", // a full batch, whose export begins outside any flush
  "/begin?n=5&tag=begun", // a flush that the request does not wait for
  "/emit?n=3&tag=left",
  "/flush?n=5&tag=flushed",
];
const RECORDS = 18;

/** The names of the records in a request. @param {any} body @returns {string[]} */
const namesIn = (body) =>
  Array.isArray(body)
    ? body
    : (body.resourceLogs ?? body.resourceSpans)
        .flatMap((/** @type {any} */ it) => it.scopeLogs ?? it.scopeSpans)
        .flatMap((/** @type {any} */ it) => it.logRecords ?? it.spans)
        .map((/** @type {any} */ it) => it.name ?? it.body.stringValue);

test("a Worker's records arrive although its requests end before their exports", async (t) => {
  /** @type {Record<string, Set<string>>} */
  const delivered = {};
  const collector = await serve(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = String(request.url).slice(1);
    delivered[path] ??= new Set();
    for (const name of namesIn(JSON.parse(String(Buffer.concat(chunks)))))
      delivered[path].add(name);
    response.end("{}");
  });
  t.after(() => collector.stop());
  const source = fileURLToPath(new URL("worker.mjs", import.meta.url));
  const code = `export { default, FlushingObject } from ${JSON.stringify(source)};`;
  const worker = await startWorker(code, collector.port);
  t.after(() => worker.stop());

  /** @type {Record<string, string>} */
  let outcomes = {};
  for (const path of REQUESTS) {
    const answer = await fetch(worker.url + path);
    assert.equal(answer.status, 200);
    outcomes = await answer.json();
  }
  const counts = Object.fromEntries(
    Object.keys(outcomes).map((name) => [name, delivered[name]?.size ?? 0]),
  );
  t.diagnostic(JSON.stringify({ counts, outcomes }));
  // Once upstream delivers them, the README's table has to change.
  for (const name of ["upstream-logs", "upstream-spans"]) {
    assert.ok(counts[name] < RECORDS, `${name} delivered ${counts[name]}`);
    assert.equal(outcomes[name], "ok");
  }
  for (const name of ["exporter-logs", "exporter-spans", "otlp-logs", "otlp-spans"]) {
    assert.equal(counts[name], RECORDS, `${name}: ${JSON.stringify({ counts, outcomes })}`);
    assert.equal(outcomes[name], "ok");
  }
});

// @ts-check

// A process stands still, as under SIGSTOP, in a debugger, or in a function that is frozen between
// two calls: time passes, answers come, and it reads them when it goes on. Node only.
import { text } from "node:stream/consumers";
import { start } from "../js/child.node.mjs";
import { assert, deferred, test, within } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";

const TIMEOUT_MS = 5000;
/** Longer than an attempt may take, and than the core leaves it to the host after that. */
const STILL_MS = 6500;
const LIMIT_MS = 30_000;

/** Sends two batches at once, from two shards, and prints their outcome. @param {string} callback @param {string} end */
const program = (callback, end, scheduler = "auto") => `
  import { request } from "node:http";
  import { EventBus } from "shardbus";
  import { httpSink } from "shardbus/sinks/http";

  const url = process.env.COLLECTOR;
  const ownRequest = (batch) => new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST" }, (response) => response.resume().on("end", resolve));
    sent.on("error", reject).end(batch.body);
  });
  const bus = new EventBus(${callback}, {
    scheduler: "${scheduler}", shards: 2, key: String, timeoutMs: ${TIMEOUT_MS}, retry: { baseDelayMs: 1 },
  });
  // The first request loads modules, which takes its time on a busy machine.
  bus.ingest("first");
  await bus.flush();
  for (const n of [1, 2, 3, 4, 5, 6]) bus.ingest(n);
  // It has much to do when it goes on, all of it due.
  setInterval(() => bus.stats(), 5).unref();
  const ingesting = setInterval(() => bus.ingest(0), 500);
  const report = await ${end};
  clearInterval(ingesting);
  const { batches, abandoned } = bus.stats();
  console.log(JSON.stringify({ report, retries: batches.retries, abandoned }));
  process.exit();
`;

/** Runs the program, and lets it stand still from its second and third request on until they are answered. @param {string} source */
async function runStandingStill(source) {
  const arrived = deferred();
  const answers = deferred();
  let requests = 0;
  const server = await serve(async (request, response) => {
    // To its end: a process that is stopped while it sends is another matter.
    await text(request);
    const nth = ++requests;
    if (nth === 3) arrived.resolve();
    if (nth === 2 || nth === 3) await answers.promise;
    response.end("taken");
  });
  const child = start(source, `export COLLECTOR=${server.url}`);
  try {
    await within(arrived.promise, () => `nothing is sent: ${child.output()}`, LIMIT_MS);
    child.signal("SIGSTOP");
    answers.resolve();
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    child.signal("SIGCONT");
    assert.equal(await child.ended(), 0, child.output());
    // Before it, the bus may warn of events that came after the end.
    return JSON.parse(child.output().trim().split("\n").at(-1) ?? "");
  } finally {
    await child.kill();
    await server.stop();
  }
}

for (const [how, callback] of /** @type {const} */ ([
  ["the HTTP sink", "httpSink(url)"],
  ["a callback of its own", "ownRequest"],
])) {
  test(`a batch answered while the process stood still is not sent again: ${how}`, async () => {
    const { report, retries } = await runStandingStill(program(callback, "bus.flush()"));
    assert.equal(retries, 0);
    assert.equal(report.delivered, 6);
  });
}

test("with the scheduler manual, requests that stood still together take none of them for lost", async () => {
  const end = "(bus.flush(), bus.flush())";
  const { report, retries } = await runStandingStill(program("httpSink(url)", end, "manual"));
  assert.equal(retries, 0);
  assert.equal(report.delivered, 6);
  assert.isFalse(report.timedOut);
});

test("an answer from while the process stood still counts in close(), whose time is up", async () => {
  const source = program("httpSink(url)", `bus.close({ timeoutMs: ${TIMEOUT_MS} })`);
  const { report, abandoned } = await runStandingStill(source);
  assert.equal(report.delivered, 6);
  assert.isFalse(report.timedOut);
  assert.equal(abandoned.shutdown, 0);
});

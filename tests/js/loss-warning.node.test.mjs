// @ts-check
// The one warning of a bus without handlers, for the mistakes of a user's first minutes: with real
// sockets, because the runtime writes the errors' messages.
import { freePort, serve } from "../loopback.mjs";
import { run } from "./child.node.mjs";
import { afterEach, assert, before, test } from "./harness.mjs";

/** @type {(() => Promise<void>)[]} */
const cleanUps = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** A receiver that has nothing but this path. @param {string} path */
async function startReceiver(path) {
  const server = await serve((request, response) => {
    request.resume();
    response.writeHead(request.url === path ? 204 : 404).end();
  });
  cleanUps.push(server.stop);
  return server;
}

/**
 * The output of a program that loses events.
 *
 * @param {string} url
 * @param {string} [callback] the body of its callback
 */
function warningOf(url, callback = "") {
  return run(`
    import { DeliveryError, EventBus } from "shardbus";
    const bus = new EventBus(async (batch, { signal }) => {
      ${callback}
      const response = await fetch("${url}", { method: "POST", body: batch.body, signal });
      if (!response.ok) throw DeliveryError.fromResponse(response);
    });
    for (let n = 0; n < 3; n++) bus.ingest({ n });
    bus.flush();
    while (bus.stats().lastError === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    await bus.close({ timeoutMs: 100 });
  `);
}

/** The text of every warning of an outage: its beginning, and the remedy. */
const since = /, and attempts have failed since \d{4}-\d\d-\d\dT[\d:.]+Z\. /;
const advice = /Give `close\(\)` more time, or use a `store`\. .*`onDrop`.*`bus\.stats\(\)`/;

/** @param {string} warning */
function assertOutage(warning) {
  assert.match(warning, /^shardbus: 3 events were not delivered before the bus was closed: /);
  assert.match(warning, /\(attempt \d+\)/);
  assert.match(warning, since);
  assert.match(warning, advice);
  assert.equal(warning.trim().split("\n").length, 1, "once");
}

/** @type {string} */
let deadPort;
before(async () => {
  deadPort = `http://127.0.0.1:${await freePort()}/events`;
});

test("a typo in the callback is in the warning", async () => {
  const { url } = await startReceiver("/events");
  const warning = await warningOf(`${url}/events`, "batch.boddy.length;");
  assertOutage(warning);
  assert.match(warning, /: Cannot read properties of undefined \(reading 'length'\) \(attempt/);
});

test("a port that nobody listens on is in the warning", async () => {
  const warning = await warningOf(deadPort);
  assertOutage(warning);
  assert.match(warning, /: fetch failed: connect ECONNREFUSED 127\.0\.0\.1:\d+ \(attempt/);
});

test("a host that there is not is in the warning", async () => {
  const warning = await warningOf("http://collector.invalid/events");
  assertOutage(warning);
  assert.match(warning, /: fetch failed: getaddrinfo E\w+ collector\.invalid \(attempt/);
});

test("a wrong URL is in the warning: the receiver answers, and refuses", async () => {
  const { url } = await startReceiver("/events");
  const warning = await warningOf(`${url}/evnets`);
  assert.match(
    warning,
    /^shardbus: 3 events were refused by the receiver for good: The receiver answered 404 Not Found \(attempt 1\)/,
  );
  assert.match(warning, /See the error\. .*`onDrop`.*`bus\.stats\(\)`/);
  assert.match(warning, since);
});

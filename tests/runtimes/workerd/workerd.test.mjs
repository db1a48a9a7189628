// @ts-check
import { readFile } from "node:fs/promises";
import {
  accountedStats,
  afterEach,
  assert,
  beforeEach,
  eventually,
  test,
  within,
} from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

const source = await readFile(new URL("worker.mjs", import.meta.url), "utf8");

/** @type {Awaited<ReturnType<typeof startCollector>>} */
let collector;
/** @type {Awaited<ReturnType<typeof startWorker>>} */
let worker;

beforeEach(async () => {
  collector = await startCollector();
  worker = await startWorker(source, collector.port);
});

afterEach(async () => {
  await worker.stop();
  await collector.stop();
});

/** @param {string} path @param {RequestInit} [init] */
async function get(path, init) {
  const response = fetch(`${worker.url}${path}`, init);
  const text = await (await within(response, () => `no response to ${path}`)).text();
  try {
    return JSON.parse(text);
  } catch {
    assert.fail(`${path}: ${text}`);
  }
}

async function stats() {
  const stats = await get("/stats");
  return accountedStats({ stats: () => stats });
}

/** Waits until the statistics are so. @param {(stats: import("shardbus").BusStats) => boolean} isSo */
const until = (isSo) =>
  eventually(
    async () => isSo(await stats()),
    () => "the statistics stay as they are",
  );

/**
 * All events that came before one that is sent last, in a request of its own: by then, events that
 * were sent twice have come twice.
 */
async function allEvents() {
  await get("/flush?tag=last&n=1");
  const events = collector.events();
  assert.equal(events.pop(), "last0");
  return events;
}

/** Events that the Worker made of `tag`. @param {string} tag @param {number} count */
const made = (tag, count) => Array.from({ length: count }, (_, i) => `${tag}${i}`);

const settled = { abandoned: 0, evicted: 0, drained: 0, pending: 0, timedOut: false };

const global = "at global scope";

test("the next request sends the events that a request left behind, once", async () => {
  // More than the size at which a batch may leave, or ever has.
  await get("/ingest?tag=a&n=2500");
  assert.deepEqual(await get("/flush?tag=b&n=3"), { ...settled, delivered: 2504 });
  const events = [global, ...made("a", 2500), ...made("b", 3)];
  assert.deepEqual(collector.events(), events);
  await get("/ingest?tag=c&n=150");
  assert.deepEqual(await get("/flush"), { ...settled, delivered: 150 });
  assert.deepEqual(await allEvents(), [...events, ...made("c", 150)]);
});

test("a flush inside waitUntil outlives its request's response", async () => {
  collector.holdNext();
  await get("/flush-in-wait-until?tag=a&n=7");
  (await collector.nth(1)).answer();
  await until(({ delivered }) => delivered >= 8);
  assert.deepEqual(await allEvents(), [global, ...made("a", 7)]);
});

/** Ways to end while a batch is in flight. */
const cuts = {
  "a request that returns": "/return",
  "a request that throws": "/throw",
  "a Durable Object that is reset": "/reset-object",
};

/** @param {string} path */
async function cutOff(path) {
  const request = fetch(`${worker.url}${path}`);
  await collector.nth(1);
  await collector.goOn();
  await (await within(request, () => "it does not end")).text();
}

for (const [what, path] of Object.entries(cuts)) {
  test(`the next request sends again the batch that ${what} was sending`, async () => {
    collector.holdNext();
    await cutOff(`${path}?tag=a&n=4`);
    const first = await collector.nth(1);
    assert.isFalse(await within(first.ended, () => "the send goes on"), "it is cut off");
    assert.deepInclude(await stats(), { delivered: 0, inFlight: 5 });
    const start = performance.now();
    assert.deepEqual(await get("/flush?tag=b&n=3"), { ...settled, delivered: 8 });
    assert.isBelow(performance.now() - start, 5000, "well before the lease runs out");
    const [, second, third] = collector.log;
    assert.deepEqual([first.attempt, second?.attempt, third?.attempt], [1, 2, 1]);
    assert.equal(second?.id, first.id);
    assert.deepEqual(second?.events, first.events);
    assert.deepEqual(third?.events, made("b", 3));
    const events = [global, ...made("a", 4)];
    assert.deepEqual(await allEvents(), [...events, ...events, ...made("b", 3)]);
    assert.include((await stats()).batches, { delivered: 3, retries: 1, expired: 1 });
  });
}

test("a request that is killed in the middle costs neither its events nor word of later losses", async () => {
  const killed = await fetch(`${worker.url}/kill-object?tag=a&n=4`);
  await killed.text();
  assert.equal(killed.status, 500);
  assert.deepEqual(await get("/flush?tag=b&n=3"), { ...settled, delivered: 8 });
  assert.deepEqual(collector.events(), [global, ...made("a", 4), ...made("b", 3)]);
  await get("/lose");
  assert.deepEqual(await get("/losses"), ["1 invalid"]);
});

test("when a request is killed that was to send for others, one of them sends", async () => {
  // It was to make the flush that the second request waits for.
  const killed = await fetch(`${worker.url}/kill-rider?tag=a&n=1`);
  await killed.text();
  assert.equal(killed.status, 500);
  await get("/wait-until?tag=b&n=1");
  await until(({ delivered }) => delivered >= 3);
  assert.sameMembers([...new Set(await allEvents())], [global, "a0", "b0"]);
});

test("a request that ends right after it began to flush wedges nothing", async () => {
  for (let i = 0; i < 5; i++) await get(`/return-at-once?tag=${i}_&n=1`);
  assert.equal((await get("/flush")).pending, 0);
  const { delivered, abandoned } = await stats();
  assert.deepEqual([delivered, abandoned.retries], [6, 0]);
  assert.sameMembers(
    [...new Set(collector.events())],
    [global, ...[0, 1, 2, 3, 4].map((i) => `${i}_0`)],
  );
});

test("two concurrent flushes share the work, and each is right", async () => {
  collector.holdNext();
  const first = get("/flush?tag=a&n=4");
  const held = await collector.nth(1);
  const second = get("/flush?tag=b&n=10");
  await until(({ accepted }) => accepted >= 15);
  held.answer();
  assert.deepEqual(await first, { ...settled, delivered: 5 });
  assert.deepEqual(await second, { ...settled, delivered: 15 });
  assert.deepEqual(await allEvents(), [global, ...made("a", 4), ...made("b", 10)]);
});

test("a flush takes over from a concurrent one that is cut off", async () => {
  collector.holdNext();
  const cut = cutOff("/return?tag=a&n=4");
  await collector.nth(1);
  const second = get("/flush?tag=b&n=10");
  await cut;
  assert.deepEqual(await second, { ...settled, delivered: 15 });
  const [first, again] = collector.log;
  assert.deepEqual([again?.id, again?.attempt], [first?.id, 2]);
  assert.deepEqual((await allEvents()).slice(5), [global, ...made("a", 4), ...made("b", 10)]);
});

test("a long send of a living request is left alone", async () => {
  collector.holdNext();
  const first = get("/flush?tag=a&n=4");
  const held = await collector.nth(1);
  const report = await get("/flush?tag=b&n=1&timeoutMs=2500");
  assert.deepEqual(report, { ...settled, delivered: 0, pending: 6, timedOut: true });
  held.answer();
  assert.deepEqual(await first, { ...settled, delivered: 5 });
  assert.deepEqual(await get("/flush"), { ...settled, delivered: 1 });
  assert.deepEqual(await allEvents(), [global, ...made("a", 4), "b0"]);
});

test("waitUntil sends the events of a request, and of others meanwhile, together", async () => {
  await get("/wait-until?tag=a&n=1&minEvents=4&maxWaitMs=20000");
  await get("/ingest?tag=b&n=1");
  await get("/ingest?tag=c&n=1");
  await collector.nth(1);
  assert.deepEqual(await allEvents(), [global, "a0", "b0", "c0"]);
  assert.lengthOf(collector.log, 2);
});

test("waitUntil does not put the flush off for ever", async () => {
  await get("/wait-until?tag=a&n=1");
  const ingestUntilSent = async () => {
    await get("/ingest?tag=b&n=1");
    return collector.log.length > 0;
  };
  await eventually(ingestUntilSent, () => "nothing is sent");
  await get("/flush");
  assert.equal(new Set(collector.events()).size, 3);
  assert.equal((await stats()).delivered, collector.events().length);
});

test("waitUntil waits for the batch", async () => {
  collector.holdNext();
  await get("/wait-until?tag=a&n=1");
  const held = await collector.nth(1);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  held.answer();
  await until(({ delivered }) => delivered >= 2);
  assert.deepEqual(await allEvents(), [global, "a0"]);
});

test("ready and settled wait without help from other requests", async () => {
  collector.holdNext();
  const flush = get("/flush");
  const held = await collector.nth(1);
  const full = get("/ready?tag=a&n=9&padding=120000");
  const idle = get("/settled");
  const early = Promise.race([full, idle]).then((what) => assert.fail(`${what} too early`));
  await Promise.race([early, new Promise((resolve) => setTimeout(resolve, 200))]);
  held.answer();
  assert.equal(await idle, "settled");
  await flush;
  await get("/flush");
  assert.equal(await full, "ready");
  early.catch(() => {});
});

test("a bus whose request was cut off can be closed", async () => {
  collector.holdNext();
  await cutOff("/return?tag=a&n=4");
  assert.deepEqual(await get("/close"), { ...settled, delivered: 5 });
  assert.deepInclude(await stats(), { delivered: 5, inFlight: 0 });
});

test("a Durable Object flushes by alarm", async () => {
  await get("/object?tag=a&n=3");
  const { events } = await collector.nth(1);
  assert.deepEqual(events, made("a", 3));
  await get("/object?tag=b&n=3");
  assert.deepEqual((await collector.nth(2)).events, made("b", 3));
  assert.deepEqual((await stats()).pending, 1, "the bus at module scope is another one");
});

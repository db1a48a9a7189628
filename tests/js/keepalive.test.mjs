// @ts-check
// The budget of a page's requests that outlive it. Browsers fail requests beyond it, and they count
// a request until they have seen its end, which is a moment after the page has.
import { EventBus } from "shardbus";
import { Clock } from "./clock.mjs";
import {
  after,
  assert,
  before,
  beforeEach,
  hang,
  idle,
  quickRetry,
  recorder,
  test,
} from "./harness.mjs";

/** The longest that a browser was seen to count a request after its answer. */
const GRACE_MS = 90;

/** More than half of the 64 KiB that browsers allow. */
const LARGE = "x".repeat(40_000);

/** The globals that make a page of a runtime without one. @type {{ [name: string]: unknown }} */
const page = {
  document: { visibilityState: "visible" },
  addEventListener() {},
  removeEventListener() {},
};
const missing = Object.keys(page).filter((name) => !(name in globalThis));

/** One for all tests: the requests of each count for all of them. @type {Clock} */
let clock;
before(() => {
  for (const name of missing) Object.assign(globalThis, { [name]: page[name] });
  clock = new Clock();
});
after(() => {
  clock.restore();
  for (const name of missing) Reflect.deleteProperty(globalThis, name);
});
beforeEach(() => clock.jump(1000));

/** Has a bus of its own send an event, and returns the attempt. @param {ReturnType<typeof recorder>} sink */
async function send(sink, event = LARGE, options = {}) {
  const bus = new EventBus(sink.callback, { retry: quickRetry, onDrop: () => {}, ...options });
  bus.ingest(event);
  void bus.flush();
  const call = await sink.nextCall();
  return { bus, call };
}

test("a request counts for a moment after its answer, and then no more", async () => {
  const sink = recorder([hang]);
  const first = await send(sink);
  assert.isTrue(first.call.keepalive);
  assert.isFalse((await send(sink)).call.keepalive, "while it is in flight");
  first.call.release();
  await idle();
  assert.isFalse((await send(sink)).call.keepalive, "just after its answer");
  await clock.advance(GRACE_MS);
  assert.isFalse((await send(sink)).call.keepalive, "as long as a browser may count it");
  await clock.advance(GRACE_MS);
  assert.isTrue((await send(sink)).call.keepalive, "later");
});

test("a request that failed, was cut off, or lost its bus counts for a moment too", async () => {
  /** @type {Record<string, (attempt: Awaited<ReturnType<typeof send>>) => unknown>} */
  const ends = {
    "it failed": ({ call }) => call.fail("no"),
    "it was cut off": () => clock.advance(5000),
    "its bus was closed": ({ bus }) => bus.close({ timeoutMs: 0, signal: AbortSignal.abort() }),
  };
  for (const [how, end] of Object.entries(ends)) {
    const sink = recorder([hang]);
    const retry = false;
    const attempt = await send(sink, LARGE, { timeoutMs: 5000, retry });
    assert.isTrue(attempt.call.keepalive, how);
    await end(attempt);
    await idle();
    assert.isFalse((await send(sink)).call.keepalive, `just after: ${how}`);
    await clock.advance(2 * GRACE_MS);
    // A late answer of the callback changes nothing.
    attempt.call.release();
    await idle();
    assert.isTrue((await send(sink)).call.keepalive, `later: ${how}`);
    await clock.advance(2 * GRACE_MS);
  }
});

test("a page has at most nine requests in flight that outlive it", async () => {
  const sink = recorder(Array.from({ length: 10 }, () => hang));
  const calls = [];
  for (let i = 0; i < 10; i++) calls.push((await send(sink, "small")).call);
  assert.deepEqual(
    calls.map(({ keepalive }) => keepalive),
    [...Array.from({ length: 9 }, () => true), false],
  );
  for (const call of calls) call.release();
  await idle();
});

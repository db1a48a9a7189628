// @ts-check
// The writes of a page that is unloading to its store, and their order. Node only: it stands in for
// a page, where no test could hold up the store.
import { afterEach, assert, beforeEach, deferred, HOUR_MS, hang, idle, test } from "./harness.mjs";
import { MemoryStore } from "./memory-store.mjs";
import { busWith } from "./outbox-bus.mjs";

const page = /** @type {any} */ (globalThis);

beforeEach(() => {
  const events = new EventTarget();
  page.document = { visibilityState: "visible" };
  page.addEventListener = events.addEventListener.bind(events);
  page.removeEventListener = events.removeEventListener.bind(events);
  page.dispatchEvent = events.dispatchEvent.bind(events);
});

afterEach(() => {
  for (const name of ["document", "addEventListener", "removeEventListener", "dispatchEvent"]) {
    delete page[name];
  }
  // The bytes that the requests of a page may carry together.
  delete page[Symbol.for("shardbus.keepalive")];
});

/** The events of a page that is unloading, one right after the other. */
function leave() {
  page.document.visibilityState = "hidden";
  page.dispatchEvent(new Event("visibilitychange"));
  page.dispatchEvent(new Event("pagehide"));
}

/** A bus in a page, with five events of which requests that outlive it can carry three. */
async function busInPage(/** @type {MemoryStore} */ store) {
  const made = busWith([hang, hang, hang], store, {
    batch: { minSize: 1, maxSize: 1, maxDelayMs: HOUR_MS },
  });
  // The store is open.
  await idle();
  return made;
}

const events = [0, 1, 2, 3, 4].map((n) => n + "x".repeat(19_000));

/** A store that cannot write at once. */
function slowStore() {
  const store = new MemoryStore();
  /** @type {any} */ (store).writeSync = undefined;
  return store;
}

/** The sequence numbers of the batches that were written. @param {MemoryStore} store */
const written = (store) =>
  store.log.filter((line) => line.startsWith("write")).map((line) => Number(line.at(-1)));

test("at unload, unsent events are written before batches in flight", async () => {
  const store = slowStore();
  const { bus, sink } = await busInPage(store);
  bus.ingestBatch(events);
  leave();
  const calls = await sink.calls(3);
  assert.deepEqual(
    calls.map(({ sequence, keepalive }) => [sequence, keepalive]),
    [
      [0, true],
      [1, true],
      [2, true],
    ],
  );
  await idle();
  assert.deepEqual(written(store), [3, 4, 0, 1, 2]);
  for (const call of calls) call.release();
  await bus.close();
  assert.equal(store.batches.size, 0);
});

test("a page that goes has written everything before it is gone, where the store can", async () => {
  const store = new MemoryStore();
  const { bus, sink } = await busInPage(store);
  bus.ingestBatch(events);
  leave();
  assert.equal(store.batches.size, 5);
  await sink.calls(3);
  for (const call of sink.log) call.release();
  await bus.close();
  assert.equal(store.batches.size, 0);
});

test("a page that goes writes each batch once, however often it is told", async () => {
  const store = slowStore();
  const { bus, sink } = await busInPage(store);
  const writing = deferred();
  store.faults = { write: () => writing.promise };
  bus.ingestBatch(events);
  leave();
  await idle();
  leave();
  await idle();
  assert.lengthOf(written(store), 5);
  writing.resolve();
  await idle();
  leave();
  await idle();
  assert.lengthOf(written(store), 5);
  for (const call of sink.log) call.release();
  await bus.close();
});

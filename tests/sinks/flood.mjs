// @ts-check

// Sends events through a sink while its engine is killed and started again, and compares the
// engine's events with them. Before each kill, answers are withheld, so that the engine has events
// that the bus does not know to be stored.
import { EventBus } from "shardbus";
import { assert, within } from "../js/harness.mjs";

export const EVENTS = 40_000;
export const SHARDS = 4;
const KILLS = 5;
const USERS = 1000;

/** The limit of a wait for room or for the engine's answer, in milliseconds. */
const ROOM_MS = 60_000;

/** @typedef {{ n: number, user: string, page: string }} Event */
/** An event as it was found: in the order of its shard. @typedef {{ shard: number, id: string, event: Event }} Found */

/** @param {number} n @returns {Event} */
export const eventAt = (n) => ({
  n,
  user: `user-${(n * 7919) % USERS}`,
  page: `/products/${n % 977}`,
});

/**
 * Offers all events, waiting for room as long as there is none, and returns how it went.
 *
 * @param {import("shardbus").DeliveryCallback<Event>} sink
 * @param {Pick<import("./servers.mjs").Server, "kill" | "start">} server
 * @param {Pick<import("./proxy.mjs").Proxy, "withhold" | "cut">} proxy between the sink and the server
 */
export async function flood(sink, server, proxy) {
  let attempts = 0;
  let retries = 0;
  /** @type {EventBus<Event>} */
  const bus = new EventBus(
    (batch, context) => {
      attempts++;
      if (context.attempt > 1) retries++;
      return sink(batch, context);
    },
    {
      shards: SHARDS,
      backpressure: "drop-newest",
      // So little that all but the last events wait for the engine.
      maxBytes: 1 << 20,
      key: ({ user }) => user,
      retry: { baseDelayMs: 20, maxDelayMs: 200 },
      batch: { maxDelayMs: 50 },
      onDrop: ({ reason }) => assert.equal(reason, "full"),
    },
  );
  const killAt = Array.from({ length: KILLS }, (_, i) => ((i + 0.5) * EVENTS) / KILLS);
  const start = performance.now();
  for (let n = 0; n < EVENTS; n++) {
    while (!bus.ingest(eventAt(n))) {
      await within(bus.ready(), () => `there is no room for event ${n}`, ROOM_MS);
    }
    if (n === killAt[0]) {
      killAt.shift();
      await within(proxy.withhold(), () => `nothing is answered after event ${n}`, ROOM_MS);
      await server.kill();
      proxy.cut();
      await server.start();
    }
  }
  await bus.close({ timeoutMs: 60_000 });
  const seconds = (performance.now() - start) / 1000;
  assert.equal(bus.stats().delivered, EVENTS);
  assert.deepEqual(killAt, []);
  return { seconds, attempts, retries };
}

/**
 * Every event is there once, where its key belongs, and after those of its shard that came before it.
 *
 * @param {Iterable<Found>} found without repetitions
 */
export function assertComplete(found) {
  const seen = new Uint8Array(EVENTS);
  const last = new Map();
  const shardOfUser = new Map();
  let count = 0;
  for (const { shard, event } of found) {
    count++;
    seen[event.n] = (seen[event.n] ?? 0) + 1;
    if (event.n <= (last.get(shard) ?? -1)) {
      assert.fail(`shard ${shard}: ${event.n} comes after ${last.get(shard)}`);
    }
    last.set(shard, event.n);
    const before = shardOfUser.get(event.user) ?? shard;
    if (before !== shard) assert.fail(`${event.user} is in the shards ${before} and ${shard}`);
    shardOfUser.set(event.user, shard);
  }
  assert.equal(seen.indexOf(0), -1, "the first event that is missing");
  assert.equal(count, EVENTS, "events");
  assert.equal(last.size, SHARDS, "shards");
}

/**
 * Leaves out repetitions.
 * @template {{ id: string }} T
 * @param {Iterable<T>} found
 * @returns {Generator<T>}
 */
export function* withoutRepetitions(found) {
  const ids = new Set();
  for (const one of found) {
    if (ids.has(one.id)) continue;
    ids.add(one.id);
    yield one;
  }
}

// @ts-check
// What a user sees who fakes the clock, whichever library does it. CommonJS, for Jest.
const assert = require("node:assert/strict");
// Taken at once, before they are faked; the global ones may be faked already.
const { setTimeout, clearTimeout } = require("node:timers");

/**
 * A library that fakes clocks.
 *
 * @typedef {object} Fake
 * @property {() => void} install
 * @property {(ms: number) => unknown} advance may return a promise
 * @property {() => unknown} runAll runs every timer that there is
 * @property {() => void} [forget] drops all timers, and stays installed
 * @property {() => void} uninstall
 * @property {boolean} [isPartial] whether real time passes all the same: `performance.now` is not faked
 */

/**
 * Waits, but not for ever.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {string} what
 */
async function within(promise, what) {
  /** @type {any} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than 30 s`)), 30_000);
  });
  try {
    return /** @type {T} */ (await Promise.race([promise, late]));
  } finally {
    clearTimeout(timer);
  }
}

/** Lets everything run that is ready to run. */
async function idle() {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/**
 * A bus, and what it has delivered.
 *
 * @param {any} EventBus
 * @param {object} [options]
 */
function watchedBus(EventBus, options) {
  /** @type {unknown[]} */
  const delivered = [];
  /** @type {(() => void)[]} */
  const waiting = [];
  const bus = new EventBus((/** @type {any} */ batch) => {
    delivered.push(...batch.events());
    for (const tell of waiting.splice(0)) tell();
  }, options);
  /** Waits for the next delivery. */
  const next = () =>
    within(new Promise((resolve) => waiting.push(() => resolve(undefined))), "a delivery");
  return { bus, delivered, next };
}

/**
 * The checks, by what holds.
 *
 * @type {Record<string, (EventBus: any, fake: Fake) => Promise<void>>}
 */
const checks = {
  async "moving the clock delivers what the time says"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus, { batch: { maxDelayMs: 1000 } });
    fake.install();
    bus.ingest("a");
    await idle();
    if (!fake.isPartial) {
      await fake.advance(999);
      assert.deepEqual(delivered, []);
    }
    await fake.advance(fake.isPartial ? 1000 : 1);
    assert.deepEqual(delivered, ["a"]);
    fake.uninstall();
    await bus.close();
  },

  async "a flush ends although the clock stands still"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus, { batch: { maxSize: 1, minSize: 1 } });
    fake.install();
    for (let i = 0; i < 50; i++) bus.ingest(i);
    const { pending } = await within(bus.flush({ timeoutMs: 1000 }), "the flush");
    assert.equal(pending, 0);
    assert.equal(delivered.length, 50);
    await within(bus.close(), "closing");
    fake.uninstall();
  },

  async "a clock that was faked leaves a bus whose timers fire"(EventBus, fake) {
    const { bus, delivered, next } = watchedBus(EventBus, { batch: { maxDelayMs: 20 } });
    fake.install();
    bus.ingest("faked");
    await idle();
    fake.uninstall();
    const first = next();
    bus.ingest("real");
    await first;
    assert.deepEqual(delivered, ["faked", "real"]);
    const second = next();
    bus.ingest("later");
    await second;
    await bus.close();
  },

  async "a bus that has a timer when the clock is faked keeps to the clock"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus, { batch: { maxDelayMs: 3_600_000 } });
    bus.ingest("real");
    await idle();
    fake.install();
    bus.ingest("faked");
    await idle();
    // Its hour may have begun a moment later than the fake clock.
    await fake.advance(3_600_010);
    assert.deepEqual(delivered, ["real", "faked"]);
    fake.uninstall();
    await bus.close();
  },

  async "a clock may be faked again and again"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus, { batch: { maxDelayMs: 1000 } });
    for (let round = 0; round < 3; round++) {
      fake.install();
      bus.ingest(round);
      await idle();
      if (round !== 1) await fake.advance(1000);
      fake.uninstall();
    }
    assert.deepEqual(delivered, [0, 1, 2], "the second is left over, and goes with the third");
    await bus.close();
  },

  async "running all timers ends"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus);
    fake.install();
    bus.ingest("a");
    await idle();
    await fake.runAll();
    await idle();
    assert.deepEqual(delivered, ["a"]);
    fake.uninstall();
    await bus.close();
  },

  async "a failed attempt is made again when the clock says so"(EventBus, fake) {
    let attempts = 0;
    const bus = new EventBus(
      () => {
        if (++attempts === 1) throw new Error("down");
      },
      { retry: { baseDelayMs: 60_000, maxDelayMs: 60_000 }, batch: { maxDelayMs: 1 } },
    );
    fake.install();
    bus.ingest("a");
    await idle();
    await fake.advance(1);
    assert.equal(attempts, 1);
    await fake.advance(60_000);
    assert.equal(attempts, 2);
    assert.equal(bus.stats().delivered, 1);
    fake.uninstall();
    await bus.close();
  },

  async "an attempt that hangs is cut off when the clock says so"(EventBus, fake) {
    /** @type {unknown} */
    let reason;
    const bus = new EventBus(
      (/** @type {any} */ _, /** @type {any} */ { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            reason = signal.reason.code;
            resolve(undefined);
          });
        }),
      { timeoutMs: 5000, retry: false, onDrop: () => {} },
    );
    fake.install();
    bus.ingest("a");
    const flushed = bus.flush();
    await idle();
    await fake.advance(5000);
    await within(flushed, "the flush");
    assert.equal(reason, "ERR_TIMEOUT");
    fake.uninstall();
    await bus.close();
  },

  async "a clock that drops its timers takes none of the bus's for good"(EventBus, fake) {
    const { bus, delivered } = watchedBus(EventBus, { batch: { maxDelayMs: 1000 } });
    fake.install();
    bus.ingest("a");
    await idle();
    fake.forget?.();
    bus.ingest("b");
    await idle();
    await fake.advance(1000);
    assert.deepEqual(delivered, ["a", "b"]);
    fake.uninstall();
    await bus.close();
  },
};

/** @param {string} name @param {any} EventBus @param {Fake} fake */
async function run(name, EventBus, fake) {
  let isInstalled = false;
  const tracked = {
    ...fake,
    install() {
      isInstalled = true;
      fake.install();
    },
    uninstall() {
      isInstalled = false;
      fake.uninstall();
    },
    async advance(/** @type {number} */ ms) {
      await fake.advance(ms);
      await idle();
    },
  };
  try {
    await checks[name]?.(EventBus, tracked);
  } finally {
    // The next check gets the real clock.
    if (isInstalled) fake.uninstall();
  }
}

module.exports = { names: Object.keys(checks), run };

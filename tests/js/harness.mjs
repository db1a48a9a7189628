// @ts-check

// All that a test file imports besides `shardbus`. The line with `node:test` is the only one that
// belongs to a runtime; the helpers below use nothing but web APIs.

import { assert } from "chai";
// The entries for pages come without it.
import "shardbus/requests";

export { after, afterEach, before, beforeEach, describe, it, test } from "node:test";
export { default as vectors } from "../vectors/routing.json" with { type: "json" };
export { assert };

// Taken once: a test that replaces the global timers must not stop the deadlines below.
const { setTimeout, clearTimeout } = globalThis;
const DEADLINE_MS = 30_000;

/** Longer than any test: with it as `maxDelayMs`, nothing leaves because of the time. */
export const HOUR_MS = 3_600_000;

/** Retries that do not keep a test waiting. */
export const quickRetry = { baseDelayMs: 1, maxDelayMs: 1 };

/** A whole body as text. Fatal: a broken byte must not pass as U+FFFD. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @param {{ body: Uint8Array }} batch */
export const bodyText = (batch) => decoder.decode(batch.body);

/**
 * Lets everything run that is ready to run: for tests that nothing more happens, where there is no
 * event to wait for.
 */
export async function idle() {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}

/**
 * The part of its inputs that a test of many has: all of them once, fewer in every further runtime.
 */
export const share = Number(process.env.SHARDBUS_RUNS_SHARE ?? 1);
if (!(share > 0 && share <= 1)) {
  throw new RangeError("SHARDBUS_RUNS_SHARE must be above 0, and at most 1");
}

/**
 * A number of inputs, or the share of it, but never fewer than the test needs.
 *
 * @param {number} count
 * @param {number} least
 */
export const partOf = (count, least) => Math.max(least, Math.ceil(count * share));

/** @param {Iterable<number>} numbers */
export const sum = (numbers) => [...numbers].reduce((a, b) => a + b, 0);

/**
 * Asserts that every event that was ever offered is in exactly one place, and returns the
 * statistics.
 *
 * @param {{ stats(): import("shardbus").BusStats }} bus
 */
export function accountedStats(bus) {
  const stats = bus.stats();
  const { offered, accepted, rejected, delivered, evicted, abandoned, drained } = stats;
  assert.equal(offered, accepted + sum(Object.values(rejected)), "offered");
  const { pending, inFlight, shards } = stats;
  const elsewhere = delivered + evicted + drained + pending + inFlight;
  assert.equal(accepted, elsewhere + sum(Object.values(abandoned)), "accepted");
  // Shards that were removed are not listed any more.
  assert.isAtMost(sum(shards.map((shard) => shard.accepted)), accepted, "accepted by shard");
  assert.equal(pending, sum(shards.map((shard) => shard.pending)), "pending by shard");
  assert.equal(inFlight, sum(shards.map((shard) => shard.inFlight)), "in flight by shard");
  return stats;
}

/**
 * The statistics, without the numbers that differ from bus to bus.
 *
 * @param {{ stats(): import("shardbus").BusStats }} bus
 */
export function comparableStats(bus) {
  const { runId: _, oldestAgeMs: __, ...stats } = accountedStats(bus);
  return stats;
}

/**
 * The error that `call` throws; fails if it throws none.
 *
 * @param {() => unknown} call
 * @returns {any}
 */
export function thrown(call) {
  let result;
  try {
    result = call();
  } catch (error) {
    return error;
  }
  throw new Error(`expected an error, got ${String(result)}`);
}

/**
 * A promise and the two functions that settle it.
 *
 * @template [T=void]
 * @returns {{ promise: Promise<T>, resolve: (value: T) => void, reject: (reason: unknown) => void }}
 */
export function deferred() {
  /** @type {any} */
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

/**
 * Waits for `promise`, but not for ever. The timer also keeps the process alive, which the bus's own
 * timers do not do while nobody waits for the bus.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {() => string} describeFailure the message if the time is up
 * @returns {Promise<T>}
 */
export async function within(promise, describeFailure, ms = DEADLINE_MS) {
  const late = deferred();
  const timer = setTimeout(() => late.reject(new Error(`${describeFailure()} (${ms} ms)`)), ms);
  try {
    return /** @type {T} */ (await Promise.race([promise, late.promise]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Looks again and again until `look` returns something truthy, and returns that, but not for ever:
 * for a condition without an event.
 *
 * @template T
 * @param {() => T | Promise<T>} look
 * @param {() => string} describeFailure the message if the time is up
 * @returns {Promise<T>}
 */
export async function eventually(look, describeFailure, ms = DEADLINE_MS) {
  let isOver = false;
  const found = async () => {
    for (;;) {
      const result = await look();
      if (result || isOver) return result;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  try {
    return await within(found(), describeFailure, ms);
  } finally {
    isOver = true;
  }
}

/**
 * The reason for which `promise` rejects; it is an error if it does not.
 *
 * @param {Promise<unknown>} promise
 * @returns {Promise<any>}
 */
export async function rejection(promise) {
  const reason = promise.then(
    (value) => Promise.reject(new Error(`expected a rejection, got ${String(value)}`)),
    (error) => error,
  );
  return within(reason, () => "expected a rejection, the promise is still pending");
}

/**
 * One call of the callback. Its result is handed to the bus unchanged, so a step may also throw
 * synchronously or return something that is no promise.
 *
 * @typedef {(call: Call) => unknown} Step
 */

/** The call succeeds. @type {Step} */
export const succeed = async () => {};

/** The call fails with `error`. @param {unknown} error @returns {Step} */
export const fail = (error) => async () => {
  throw error;
};

/** The call hangs until `call.release()` or `call.fail(error)`, deaf to its signal. @type {Step} */
export const hang = (call) => call.told;

/** The call hangs like `hang`, but fails when its signal fires, as `fetch` does. @type {Step} */
export const hangUntilAborted = (call) => {
  const aborted = deferred();
  const onAbort = () => aborted.reject(call.signal.reason);
  if (call.signal.aborted) onAbort();
  call.signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([call.told, aborted.promise]);
};

/** One call of a recorder's callback. The batch's fields are copied at the time of the call. */
class Call {
  /** @type {"pending" | "succeeded" | "failed"} */
  outcome = "pending";
  #told = deferred();

  /**
   * @param {any} batch
   * @param {{ signal: AbortSignal, attempt: number, keepalive: boolean }} context
   */
  constructor(batch, context) {
    this.batch = batch;
    this.id = /** @type {string} */ (batch.id);
    this.shard = /** @type {number} */ (batch.shard);
    this.sequence = /** @type {number} */ (batch.sequence);
    this.count = /** @type {number} */ (batch.count);
    this.contentType = /** @type {string} */ (batch.contentType);
    this.text = bodyText(batch);
    this.signal = context.signal;
    this.attempt = context.attempt;
    this.keepalive = context.keepalive;
  }

  /** The body parsed here, not by `batch.events()`, which is itself under test. @returns {any[]} */
  get events() {
    if (!this.contentType.includes("ndjson")) return JSON.parse(this.text);
    const lines = this.text.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line));
  }

  /** The promise that `hang` awaits. */
  get told() {
    return this.#told.promise;
  }

  /** Lets a hanging call succeed. */
  release() {
    this.#told.resolve();
  }

  /** Lets a hanging call fail. @param {unknown} error */
  fail(error) {
    this.#told.reject(error);
  }
}

/**
 * A callback for `new EventBus(sink.callback)` that records its calls.
 *
 * ```js
 * const sink = recorder([fail(new Error("no")), hang]);  // first call, second call; then `succeed`
 * const bus = new EventBus(sink.callback);
 * bus.ingest({ a: 1 });
 * const [first, second] = await sink.calls(2);
 * second.release();
 * ```
 *
 * @param {Step[]} [script] the steps of the first calls, in order
 * @param {Step} [otherwise] the step of all later calls
 */
export function recorder(script = [], otherwise = succeed) {
  /** @type {Call[]} */
  const log = [];
  /** @type {Set<() => void>} */
  const waiting = new Set();
  let taken = 0;

  /** @param {number} count */
  async function reached(count) {
    const { promise, resolve } = deferred();
    const look = () => log.length >= count && resolve();
    waiting.add(look);
    look();
    try {
      await within(promise, () => `waited for call ${count} of the callback, saw ${log.length}`);
    } finally {
      waiting.delete(look);
    }
  }

  return {
    /** Every call so far. */
    log,

    /**
     * @param {any} batch
     * @param {any} context
     * @returns {any}
     */
    callback(batch, context) {
      const call = new Call(batch, context);
      const step = script[log.length] ?? otherwise;
      log.push(call);
      for (const look of waiting) look();
      return observe(call, step);
    },

    /** Waits until there were `count` calls in all, and returns those. @param {number} count */
    async calls(count) {
      await reached(count);
      return log.slice(0, count);
    },

    /** Waits for the next call that no earlier `nextCall()` has returned. */
    async nextCall() {
      const index = taken++;
      await reached(index + 1);
      return log[index];
    },

    /** The events of all calls that succeeded, in the order of the calls. */
    delivered() {
      return log.filter((call) => call.outcome === "succeeded").flatMap((call) => call.events);
    },
  };
}

/**
 * Runs the step and notes how it ended. The bus gets the step's own result or a promise that nobody
 * else holds, so that a rejection which the bus forgets to handle still shows up.
 *
 * @param {Call} call
 * @param {Step} step
 */
function observe(call, step) {
  /** @param {"succeeded" | "failed"} outcome */
  const end = (outcome) => {
    call.outcome = outcome;
  };
  try {
    const result = step(call);
    if (!(result instanceof Promise)) {
      end("succeeded");
      return result;
    }
    return result.then(
      (value) => {
        end("succeeded");
        return value;
      },
      (error) => {
        end("failed");
        throw error;
      },
    );
  } catch (error) {
    end("failed");
    throw error;
  }
}

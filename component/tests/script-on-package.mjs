// Runs a script on the npm package.
import { DeliveryError, EventBus } from "shardbus";
import { deferred } from "../../tests/js/harness.mjs";
import { MemoryStore } from "../../tests/js/memory-store.mjs";
import { add, answer, counts, noAnswers } from "./script.mjs";

const decoder = new TextDecoder();

/** The hosts of a script, of which each but the last is killed. */
class Host {
  answers = noAnswers();
  /** The nonces of batches, in the order of their hosts. @type {string[]} */
  nonces = [];
  /** The attempts until the host is killed; from then on, nothing that it sends arrives. */
  attemptsLeft = Infinity;
  killed = deferred();

  /** @param {import("./script.mjs").Script} script @param {import("../../tests/js/clock.mjs").Clock} clock */
  constructor(script, clock) {
    this.script = script;
    this.clock = clock;
    const isKilled = script.steps.some((step) => typeof step === "object" && "kill" in step);
    this.store = isKilled ? new MemoryStore() : undefined;
    this.bus = this.start();
  }

  start() {
    return new EventBus(this.deliver, {
      ...this.script.options,
      key: undefined,
      scheduler: "manual",
      store: this.store,
      onDrop: ({ batch, reason }) => {
        if (batch === undefined) return;
        const entry = [batch.sequence, reason, decoder.decode(batch.body)];
        add(this.answers.lost, batch.shard, entry);
      },
    });
  }

  /** The callback. @type {import("shardbus").BatchCallback} */
  deliver = (batch, context) => {
    if (this.attemptsLeft === 0) return new Promise(() => {});
    const [sequence, body] = [batch.sequence, decoder.decode(batch.body)];
    const [nonce = ""] = batch.id.split("-");
    if (!this.nonces.includes(nonce)) this.nonces.push(nonce);
    const entry = [this.nonces.indexOf(nonce), sequence, context.attempt, body];
    add(this.answers.attempts, batch.shard, entry);
    if (--this.attemptsLeft === 0) {
      this.killed.resolve(undefined);
      return new Promise(() => {});
    }
    return outcome(answer(this.script, sequence, context.attempt, body), batch);
  };

  async run() {
    for (const step of this.script.steps) {
      if (step === "flush") await this.passTime(this.bus.flush());
      else if ("kill" in step) await this.kill(step.kill);
      else if ("offer" in step) {
        this.answers.accepted.push(...step.offer.map((event) => offer(this.bus, ...event)));
      } else {
        const batches = this.bus.drain({ maxBytes: step.drain });
        this.answers.drained.push(...batches.map(({ body }) => decoder.decode(body)));
      }
    }
    this.answers.counts = counts(this.bus.stats());
    return this.answers;
  }

  /**
   * Sends so many attempts, of which the last has no answer, and starts the next host with the store
   * of this one. Events that are in no batch reach the store when the bus is closed; `tests/kill` has
   * processes that end without.
   *
   * @param {number} attempts
   */
  async kill(attempts) {
    this.attemptsLeft = attempts;
    if (attempts > 0) {
      this.bus.flush();
      await this.passTime(this.killed.promise);
    }
    await this.passTime(this.bus.close({ timeoutMs: 0 }));
    this.attemptsLeft = Infinity;
    this.bus = this.start();
    await this.passTime(this.bus.flush());
  }

  /** Lets as much time pass as a promise takes. @param {Promise<unknown>} promise */
  async passTime(promise) {
    let isOpen = true;
    const settled = promise.finally(() => {
      isOpen = false;
    });
    while (isOpen) await this.clock.advance(1000);
    await settled;
  }
}

/** @param {EventBus} bus @param {string} payload @param {string | null} key */
function offer(bus, payload, key) {
  try {
    return bus.ingestRaw(payload, key === null ? {} : { key });
  } catch {
    return false;
  }
}

/** @param {string} answer @param {import("shardbus").Batch} batch */
function outcome(answer, batch) {
  switch (answer) {
    case "delivered":
      return undefined;
    case "unavailable":
      throw new DeliveryError(answer, { unavailable: true });
    case "refused":
      throw new DeliveryError(answer, { unavailable: false });
    case "permanent":
      throw new DeliveryError(answer, { retryable: false });
    case "split":
      throw new DeliveryError(answer, { split: true });
    default: {
      const texts = batch.events().map((event) => JSON.stringify(event));
      const holding = (/** @type {string} */ word) =>
        texts.flatMap((text, index) => (text.includes(word) ? [index] : []));
      const rejected = holding("reject").map((index) => ({ index }));
      return { rejected, retry: holding("retry") };
    }
  }
}

/**
 * The answers of the npm package.
 *
 * @param {import("./script.mjs").Script} script
 * @param {import("../../tests/js/clock.mjs").Clock} clock
 */
export const onPackage = (script, clock) => new Host(script, clock).run();

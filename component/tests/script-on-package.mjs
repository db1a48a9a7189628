// Runs a script on the npm package.
import { DeliveryError, EventBus } from "shardbus";
import { Clock } from "../../tests/js/clock.mjs";
import { add, answer, counts, noAnswers } from "./script.mjs";

const decoder = new TextDecoder();

/**
 * The answers of the npm package. Its batches are those of a store when its host is killed, which is
 * another matter: see `tests/kill`.
 *
 * @param {import("./script.mjs").Script} script
 * @param {Clock} clock
 */
export async function onPackage(script, clock) {
  const answers = noAnswers();
  /** @param {import("shardbus").Batch} batch @param {{ attempt: number }} context */
  const callback = (batch, { attempt }) => {
    const [sequence, body] = [batch.sequence, decoder.decode(batch.body)];
    add(answers.attempts, batch.shard, [sequence, attempt, body]);
    return outcome(answer(script, sequence, attempt, body), batch);
  };
  const bus = new EventBus(callback, {
    ...script.options,
    key: undefined,
    scheduler: "manual",
    onDrop({ batch, reason }) {
      if (batch === undefined) return;
      add(answers.lost, batch.shard, [batch.sequence, reason, decoder.decode(batch.body)]);
    },
  });
  for (const step of script.steps) {
    if (step === "flush") await flush(bus, clock);
    else if (step === "kill") throw new Error("the npm package runs no script with a kill");
    else if ("offer" in step) {
      for (const [payload, key] of step.offer) answers.accepted.push(offer(bus, payload, key));
    } else {
      const batches = bus.drain({ maxBytes: step.drain });
      answers.drained.push(...batches.map(({ body }) => decoder.decode(body)));
    }
  }
  answers.counts = counts(bus.stats());
  return answers;
}

/** Flushes, and lets as much time pass as that takes. @param {EventBus} bus @param {Clock} clock */
async function flush(bus, clock) {
  let isOpen = true;
  const flushed = bus.flush().finally(() => {
    isOpen = false;
  });
  while (isOpen) await clock.advance(1000);
  await flushed;
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

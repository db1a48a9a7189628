// @ts-check

// The code of a new user: a callback, and a source of events.
import { setTimeout } from "node:timers/promises";
import { DeliveryError, EventBus } from "shardbus";

/** An event of so many bytes. @param {number} n */
export const eventOf = (n, bytes = 150) => {
  const event = { n, at: "2026-01-01T00:00:00.000Z", path: "/products/1234", text: "" };
  event.text = ".".repeat(bytes - JSON.stringify(event).length);
  return event;
};

/** A callback as in docs/callback.md. @param {string} url @returns {import("shardbus").DeliveryCallback<any>} */
export const sendTo =
  (url) =>
  async (batch, { signal }) => {
    const headers = { "content-type": batch.contentType, "idempotency-key": batch.id };
    const response = await fetch(url, { method: "POST", body: batch.body, headers, signal });
    if (!response.ok) throw DeliveryError.fromResponse(response);
  };

/**
 * Offers `count` events of 1 KiB, no faster than a slow disk can follow.
 *
 * @param {Pick<EventBus<any>, "ingest" | "ready">} bus
 */
export async function offerMuch(bus, count = Number.POSITIVE_INFINITY) {
  for (let n = 0; n < count; n++) {
    bus.ingest(eventOf(n, 1 << 10));
    if (n % 64 > 0) continue;
    await setTimeout(10);
    await bus.ready();
  }
}

/**
 * Offers events at a rate until it is stopped. Returns how to stop it, which says how many there were.
 *
 * @param {{ ingest(event: any): unknown }} bus
 * @param {number} rate a second
 * @param {number} [first] the number of the first event
 */
export function produce(bus, rate, first = 0) {
  const start = performance.now();
  let count = 0;
  const timer = setInterval(() => {
    const due = ((performance.now() - start) / 1000) * rate;
    while (count < due) bus.ingest(eventOf(first + count++));
  }, 10);
  return () => {
    clearInterval(timer);
    return count;
  };
}

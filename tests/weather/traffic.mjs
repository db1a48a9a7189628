// @ts-check

// The code of a new user: the README's callback, and a source of events.
import { DeliveryError } from "shardbus";

/** An event of 150 bytes. @param {number} n */
export const eventOf = (n) => {
  const event = { n, at: "2026-01-01T00:00:00.000Z", path: "/products/1234", text: "" };
  event.text = ".".repeat(150 - JSON.stringify(event).length);
  return event;
};

/** The README's callback. @param {string} url @returns {import("shardbus").DeliveryCallback<any>} */
export const sendTo =
  (url) =>
  async (batch, { signal }) => {
    const headers = { "content-type": batch.contentType, "idempotency-key": batch.id };
    const response = await fetch(url, { method: "POST", body: batch.body, headers, signal });
    if (!response.ok) throw DeliveryError.fromResponse(response);
  };

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

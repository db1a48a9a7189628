// @ts-check

// What a page collects, and where it goes: the part to copy.
import { DeliveryError } from "shardbus";
import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";

/** @type {import("shardbus").DeliveryCallback} */
export const send = async (batch, { signal, keepalive }) => {
  const headers = { "content-type": batch.contentType, "idempotency-key": batch.id };
  const init = { method: "POST", headers, body: batch.body, signal, keepalive };
  const response = await fetch("/events", init);
  if (!response.ok) throw DeliveryError.fromResponse(response);
};

/** Small, so that one sees it fill. A page of your own may leave all of this out. */
export const options = /** @type {const} */ ({
  shards: 4,
  capacity: 512,
  batch: { minSize: 20, maxSize: 50 },
  retry: { baseDelayMs: 500 },
});

/** Lets a bus have what visitors do here. @param {import("shardbus").EventBus} bus */
export function collect(bus) {
  /** @param {string} type @param {object} [details] */
  const ingest = (type, details) => {
    bus.ingest({ type, path: location.pathname, at: Date.now(), ...details });
  };

  ingest("view", { referrer: document.referrer });
  navigation.addEventListener("navigatesuccess", () => ingest("view"));

  document.addEventListener("click", ({ target }) => {
    const control = target instanceof Element && target.closest("a, button, input");
    if (control) ingest("click", { on: control.id || control.textContent });
  });

  for (const onVital of [onTTFB, onFCP, onLCP, onINP, onCLS]) {
    onVital(({ name, value, rating }) => ingest("vital", { name, value, rating }));
  }
}

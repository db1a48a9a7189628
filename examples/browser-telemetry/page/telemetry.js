// @ts-check

// The part to copy: collects a page's events and sends them.
import { httpSink } from "shardbus/sinks/http";
import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";

export const send = httpSink("/events");

/** Small, so that one sees it fill. A page of your own may leave all of this out. */
export const options = /** @type {const} */ ({
  shards: 4,
  capacity: 512,
  // Bytes: far below what browsers let outlive a page.
  batch: { minSize: 20, maxSize: 50, maxBytes: 16 << 10 },
  retry: { baseDelayMs: 500 },
});

/** Lets a bus have what visitors do here. @param {import("shardbus").EventBus} bus */
export function collect(bus) {
  /** @param {string} type @param {object} [details] */
  const ingest = (type, details) => {
    bus.emit({ type, path: location.pathname, at: Date.now(), ...details });
  };

  ingest("view", { referrer: document.referrer });
  // Without the Navigation API, each view is a page of its own.
  globalThis.navigation?.addEventListener("navigatesuccess", () => ingest("view"));

  document.addEventListener("click", ({ target }) => {
    const control = target instanceof Element && target.closest("a, button, input");
    if (control) ingest("click", { on: control.id || control.textContent });
  });

  for (const onVital of [onTTFB, onFCP, onLCP, onINP, onCLS]) {
    onVital(({ name, value, rating }) => ingest("vital", { name, value, rating }));
  }
}

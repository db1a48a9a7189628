// @ts-check

// The functions that tests call in a page, by name, as `page.ingest(…)`.
import { DeliveryError, EventBus } from "shardbus";
import "shardbus/requests";
import { httpSink } from "shardbus/sinks/http";

const settings = new URL(location.href).searchParams;

/** @type {Map<string, EventBus<any>>} */
const buses = new Map();

/** Why `fetch`, or a store, failed, each time that it did. @type {string[]} */
const failures = [];

/** @type {import("shardbus").DeliveryCallback<any>} */
const send = async (batch, { signal, attempt, keepalive }) => {
  const url = new URL(String(settings.get("collector")));
  url.search = String(
    new URLSearchParams({ id: batch.id, attempt: `${attempt}`, keepalive: `${keepalive}` }),
  );
  const headers = { "content-type": settings.get("type") ?? batch.contentType };
  const init = { method: "POST", headers, body: batch.body, signal, keepalive };
  const response = await fetch(url, init).catch((error) => {
    failures.push(String(error));
    throw error;
  });
  // Until then it counts among those that the browser allows.
  if (settings.get("read") !== "no") await response.arrayBuffer();
  if (!response.ok) throw DeliveryError.fromResponse(response);
};

/** @param {string} name */
function bus(name) {
  const bus = buses.get(name);
  if (bus === undefined) throw new Error(`there is no bus ${name}`);
  return bus;
}

/**
 * Events that take up `size` bytes each, as lines of NDJSON.
 *
 * @typedef {{ bus?: string, tag?: string, count: number, size?: number }} Made
 */

/** @param {Made} made */
function ingest({ bus: name = "bus", tag = "", count, size = 0 }) {
  for (let i = 0; i < count; i++) {
    const text = `${tag}${i}`;
    bus(name).ingest(text.padEnd(size - 3, " "));
  }
}

const STORES = "/dist/stores/indexeddb.js";
const EVERY_BYTE = new Uint8Array(4 * 256).map((_, i) => i ^ (i >> 8));

/** Items of localStorage that are not the store's. */
const ownItems = () => Object.keys(localStorage).filter((key) => /^\d{20}-/.test(key));

const page = {
  /** @param {import("shardbus").EventBusOptions} [options] */
  open(options, name = "bus") {
    buses.set(name, new EventBus(send, options));
  },
  /** Runs a module that makes a `bus`. @param {string} source */
  async run(source) {
    const url = `data:text/javascript,${encodeURIComponent(`${source}\nexport { bus };`)}`;
    buses.set("bus", (await import(url)).bus);
  },
  /** `open` with another copy of the package. @param {import("shardbus").EventBusOptions} options @param {string} name */
  async openCopy(options, name) {
    const url = "/copy/index.js";
    const copy = /** @type {typeof import("shardbus")} */ (await import(url));
    buses.set(name, new copy.EventBus(send, options));
  },
  /** @param {import("shardbus").EventBusOptions} options @param {import("shardbus/sinks/http").HttpSinkOptions} sinkOptions */
  openWithSink(options, sinkOptions, url = String(settings.get("collector"))) {
    const sink = httpSink(url, sinkOptions);
    buses.set("bus", new EventBus(sink, options));
  },
  /** Makes compression take for ever. */
  stopCompression() {
    class Endless {
      readable = new ReadableStream();
      writable = new WritableStream();
    }
    Object.assign(globalThis, { CompressionStream: Endless });
  },
  /** @param {import("shardbus").EventBusOptions} options */
  async openWithStore(options) {
    const { indexedDbStore } = await import(STORES);
    const store = /** @type {import("shardbus").BatchStore} */ (indexedDbStore());
    const onStoreError = (/** @type {Error} */ { message }) => failures.push(message);
    buses.set("bus", new EventBus(send, { ...options, store, onStoreError }));
    // localStorage outlives the page too, and takes a key at once.
    const { write, writeSync } = store;
    store.write = async (key, bytes) => {
      await write.call(store, key, bytes);
      localStorage.setItem(key, "");
    };
    store.writeSync = (key, bytes) => {
      writeSync?.call(store, key, bytes);
      localStorage.setItem(key, "");
    };
  },
  /** The ids of all batches that ever were in the store. */
  written: () => ownItems().map((key) => key.slice(21)),
  /** Items of localStorage that are the store's. */
  spilled: () => Object.keys(localStorage).filter((key) => key.startsWith("shardbus:")),
  /** Their size, in bytes. */
  spilledSize: () =>
    page.spilled().reduce((size, key) => size + (localStorage.getItem(key)?.length ?? 0), 0),
  /** Writes each byte there is into a store, at once. */
  async writeBytes() {
    const { indexedDbStore } = await import(STORES);
    indexedDbStore({ name: "bytes" }).writeSync("a-1", EVERY_BYTE);
  },
  /** True if a store finds them. */
  async hasBytes() {
    const { indexedDbStore } = await import(STORES);
    const store = indexedDbStore({ name: "bytes" });
    const keys = await store.open();
    const bytes = await store.read("a-1");
    return `${keys}` === "a-1" && `${bytes}` === `${EVERY_BYTE}`;
  },
  /** Leaves so many characters of room in localStorage. @param {number} room */
  fillLocalStorage(room) {
    for (let size = 1 << 23, i = 0; size > 0; size >>= 1) {
      try {
        localStorage.setItem(`fill${i}`, "x".repeat(size));
        i++;
      } catch {
        // Half of it may fit.
      }
    }
    localStorage.setItem("fill0", String(localStorage.getItem("fill0")).slice(room));
  },
  ingest,
  /** Ingests for as long as the page is there. @param {Made} made */
  produce(made) {
    let turn = 0;
    setInterval(() => ingest({ ...made, tag: `${made.tag}${turn++}-` }), 5);
  },
  /** Goes elsewhere in the very task in which it ingests. @param {string} url @param {Made} made */
  ingestAndLeave(url, made) {
    // Only after the caller has received the result.
    setTimeout(() => {
      ingest(made);
      location.href = url;
    });
  },
  /** Has a bus with a store, and goes elsewhere, in one task. @param {string} url @param {import("shardbus").EventBusOptions} options @param {Made} made */
  async openAndLeave(url, options, made) {
    const { indexedDbStore } = await import(STORES);
    setTimeout(() => {
      buses.set("bus", new EventBus(send, { ...options, store: indexedDbStore() }));
      ingest(made);
      location.href = url;
    });
  },
  /** Ingests when the page is left, as others' libraries do. @param {string} type @param {Made} made */
  ingestOn(type, made) {
    addEventListener(type, () => ingest(made), { once: true });
  },
  /** Libraries of vitals listen there. @param {string} type @param {Made} made */
  ingestOnDocument(type, made) {
    document.addEventListener(type, () => ingest(made), { once: true });
  },
  /** Starts a web worker that posts events, and takes them in. @param {number} count */
  async takeFromWorker(count) {
    const source = `for (let i = 0; i < ${count}; i++) postMessage("worker" + i); postMessage("");`;
    const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`);
    await new Promise((resolve, reject) => {
      worker.onerror = reject;
      worker.onmessage = ({ data }) => (data === "" ? resolve(data) : bus("bus").emit(data));
    });
  },
  /** Posts events to a service worker that has a bus. @param {number} count */
  async postToServiceWorker(count) {
    const url = `/service-worker.mjs?${new URLSearchParams({ collector: `${settings.get("collector")}` })}`;
    const { serviceWorker } = navigator;
    const { installing, active } = await serviceWorker.register(url, { type: "module" });
    const worker = installing ?? active;
    for (let i = 0; i < count; i++) worker?.postMessage(`posted${i}`);
  },
  /** Has so much in flight as another script may. @param {number} bytes */
  hog(bytes) {
    const body = JSON.stringify("x".repeat(bytes - 2));
    void fetch(String(settings.get("collector")), { method: "POST", body, keepalive: true });
  },
  /** Makes an hour pass while the page is away. */
  ageWhenBack() {
    addEventListener("pageshow", () => {
      Reflect.set(globalThis, "clockLead", 3_600_000);
    });
  },
  /** @param {string} type */
  flushOn(type) {
    addEventListener(type, () => bus("bus").flush());
  },
  /** As the browser does when the network is back. */
  tellOnline: () => void dispatchEvent(new Event("online")),
  stats: (name = "bus") => bus(name).stats(),
  flush: (name = "bus") => bus(name).flush(),
  persisted: (name = "bus") => bus(name).persisted(),
  close: (name = "bus") => bus(name).close(),
  failures: () => failures,
  url: () => location.href,
};

Object.assign(globalThis, { page });

/** Tells the site the state of the page that a user would see. @param {string} what */
const tell = (what) => fetch(`/seen?${what}`, { method: "POST" });

document.addEventListener("visibilitychange", () => tell(document.visibilityState));
addEventListener("pageshow", ({ persisted }) => tell(persisted ? "restored" : "loaded"));

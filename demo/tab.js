// @ts-check
// The tab that produces events: the real package, in a document of its own that can be closed. Its
// embedder gives it the options and stands for the network.
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { clearIndexedDbStore, indexedDbStore } from "shardbus/stores/indexeddb";

/** The database of the outbox. */
const name = "shardbus-demo";

/** @type {import("./tab-frame.js").Host} */
const host = /** @type {any} */ (window.frameElement).host;

/** The batch's id, from the header that the sink sends. @param {any} headers */
const idOf = (headers) => new Headers(headers).get("idempotency-key") ?? "";

const decoder = new TextDecoder();

/** As the global `fetch`, to the simulated collector. @param {any} _url @param {any} init */
async function fetchFromReceiver(_url, init) {
  const id = idOf(init.headers);
  const [shard] = id.split("-").slice(-2);
  const request = {
    id,
    shard: Number(shard),
    events: decoder.decode(init.body).split("\n"),
    isOfGhost: false,
  };
  const { status, retryAfterS } = await host.answer(request, init.signal);
  return new Response(
    null,
    retryAfterS ? { status, headers: { "retry-after": `${retryAfterS}` } } : { status },
  );
}

async function open() {
  const { options, hasStore, isFirst } = host;
  // Batches of an earlier visit are not part of this one. A page without IndexedDB has none, and says
  // so when the outbox is switched on.
  if (isFirst) await clearIndexedDbStore({ name }).catch(() => {});
  const store = hasStore ? indexedDbStore({ name }) : undefined;
  const bus = new EventBus(httpSink("/events", { fetch: fetchFromReceiver }), {
    ...options,
    key: (/** @type {any} */ event) => event.user,
    store,
    onDrop: host.onDrop,
    onDelivered: host.onDelivered,
    onStoreError: host.onStoreError,
  });
  host.onOpen(bus);
}

open().catch(host.onError);

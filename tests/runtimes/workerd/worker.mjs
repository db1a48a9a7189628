// @ts-check

// The Worker of the tests beside it. Workers have a bus at module scope, and it may
// even take events there.
import { DeliveryError, EventBus } from "shardbus";

const COLLECTOR = "https://collector.example";

// The memory of the WebAssembly instance that `shardbus` is about to make.
/** @type {WebAssembly.Memory | undefined} */
let memory;
WebAssembly.Instance = class extends WebAssembly.Instance {
  /** @param {[WebAssembly.Module, WebAssembly.Imports?]} args */
  constructor(...args) {
    super(...args);
    memory = /** @type {WebAssembly.Memory} */ (this.exports.memory);
  }
};

/** @type {import("shardbus").DeliveryCallback<any>} */
const send = async (batch, { attempt, signal }) => {
  const headers = { "idempotency-key": batch.id, "x-attempt": `${attempt}` };
  const response = await fetch(COLLECTOR, { method: "POST", headers, body: batch.body, signal });
  if (!response.ok) throw DeliveryError.fromResponse(response);
};

/** The bus's reports of losses. @type {string[]} */
const losses = [];

/** @type {EventBus<any>} */
const bus = new EventBus(send, {
  maxBytes: 1 << 20,
  onDrop: ({ reason, count }) => losses.push(`${count} ${reason}`),
});
bus.ingest("at global scope");

export class FlushingObject {
  /** @type {EventBus<any>} */
  #bus = new EventBus(send);
  #state;

  /** @param {any} state */
  constructor(state) {
    this.#state = state;
  }

  /** @param {Request} request */
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/reset-object") {
      void bus.flush();
      await fetch(`${COLLECTOR}/wait`);
      this.#state.abort("on purpose");
    }
    if (pathname === "/kill-rider") {
      ingest(bus, searchParams);
      bus.waitUntil(this.#state);
      this.#state.abort("on purpose");
    }
    if (pathname === "/kill-object") {
      ingest(bus, searchParams);
      // Ends it here: its queued tasks do not run.
      this.#state.abort("on purpose");
    }
    ingest(this.#bus, searchParams);
    await this.#state.storage.setAlarm(Date.now() + 50);
    return Response.json("the alarm is set");
  }

  async alarm() {
    await this.#bus.flush();
  }
}

/** @param {EventBus<any>} to @param {URLSearchParams} events */
function ingest(to, events) {
  const padding = "x".repeat(Number(events.get("padding")));
  for (let i = 0; i < Number(events.get("n")); i++) to.ingest(`${events.get("tag")}${i}${padding}`);
}

/** @typedef {import("shardbus").WaitOptions & import("shardbus").WaitUntilOptions} Options */

/** @type {{ [path: string]: (ctx: any, options: Options) => any }} */
const routes = {
  /** Leaves the events to others. */
  "/ingest": () => "ingested",
  /** Offers a value that is no event. */
  "/lose": () => bus.ingestBatch([undefined]),
  "/losses": () => losses,
  /** Waits for the flush. */
  "/flush": (_, options) => bus.flush(options),
  "/flush-in-wait-until": (ctx, options) => {
    ctx.waitUntil(bus.flush(options));
    return "flushing";
  },
  "/wait-until": (ctx, options) => {
    for (let i = 0; i < 10; i++) bus.waitUntil(ctx, options);
    return "riding";
  },
  /** Ends, once it is told to, without waiting for its flush. */
  "/return": async () => {
    void bus.flush();
    await fetch(`${COLLECTOR}/wait`);
    return "cut off";
  },
  "/throw": async () => {
    void bus.flush();
    await fetch(`${COLLECTOR}/wait`);
    throw new Error("on purpose");
  },
  /** Ends as soon as it has begun to send. */
  "/return-at-once": () => {
    void bus.flush();
    return "cut off";
  },
  /** Waits for the running attempts; the bus has no more room before. */
  "/ready": () => bus.ready().then(() => "ready"),
  "/settled": () => bus.settled().then(() => "settled"),
  "/stats": () => ({ ...bus.stats(), memory: memory?.buffer.byteLength }),
  "/close": () => bus.close(),
};

export default {
  /** @param {Request} request @param {any} env @param {any} ctx */
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const object = env.OBJECTS.get(env.OBJECTS.idFromName("the one"));
    if (["/object", "/kill-object", "/kill-rider"].includes(pathname)) return object.fetch(request);
    ingest(bus, searchParams);
    if (pathname === "/reset-object") return object.fetch(request);
    const names = ["timeoutMs", "minEvents", "maxWaitMs"];
    const given = names.filter((name) => searchParams.has(name));
    const options = given.map((name) => [name, Number(searchParams.get(name))]);
    return Response.json(await routes[pathname]?.(ctx, Object.fromEntries(options)));
  },
};

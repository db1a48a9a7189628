// Cloudflare Workers: the module is imported, and sends belong to a request.
import module from "./bus.wasm";
import {
  ManualScheduler,
  provide,
  provideRequestSupport,
  RequestFlusher,
  setDefaultScheduler,
} from "./internal.js";

provide(() => module);
provideRequestSupport({ ManualScheduler, RequestFlusher });
setDefaultScheduler("manual");

export * from "./api.js";

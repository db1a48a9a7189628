// Cloudflare Workers: the module is imported, and sends belong to a request.
import module from "./bus.wasm";
import { provide, provideRequests, setDefaultScheduler } from "./internal.js";

provide(() => module);
provideRequests();
setDefaultScheduler("manual");

export * from "./api.js";

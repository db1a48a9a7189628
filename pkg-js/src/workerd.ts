// Cloudflare Workers: the module is imported, and sends belong to a request.
import module from "./bus.wasm";
import { provide, setDefaultScheduler } from "./internal.js";

provide(() => module);
setDefaultScheduler("manual");

export * from "./api.js";

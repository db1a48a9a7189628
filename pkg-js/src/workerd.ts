// Cloudflare Workers: the module is imported, and sends belong to a request.
import module from "./bus.wasm";
import { setDefaultScheduler } from "./check-options.js";
import { provide } from "./wasm.js";

provide(() => module);
setDefaultScheduler("manual");

export * from "./api.js";

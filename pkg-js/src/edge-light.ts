// Vercel's edge runtime: the module is imported, by a query of its own.
import module from "./bus.wasm?module";
import { provide, provideRequests } from "./internal.js";

provide(() => module);
provideRequests();

export * from "./api.js";

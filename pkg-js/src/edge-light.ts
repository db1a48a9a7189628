// Vercel's edge runtime: the module is imported, by a query of its own.
import module from "./bus.wasm?module";
import { ManualScheduler, provide, provideRequestSupport, RequestFlusher } from "./internal.js";

provide(() => module);
provideRequestSupport({ ManualScheduler, RequestFlusher });

export * from "./api.js";

// Vercel's edge runtime: the module is imported, by a query of its own.
import module from "./bus.wasm?module";
import { provide } from "./wasm.js";

provide(() => module);

export * from "./api.js";

// Everywhere without a condition of its own: the module is inline, and compiled when first needed.
import { decodeBase64 } from "./base64.js";
import { base64 } from "./bus-inline.js";
import { provide } from "./wasm.js";

provide(() => decodeBase64(base64));

export * from "./api.js";

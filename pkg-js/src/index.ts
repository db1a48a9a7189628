// Everywhere without a condition of its own: the module is inline, as text that compresses well, and
// compiled when first needed.
import { frequent, length, text } from "./bus-inline.js";
import { provide } from "./internal.js";
import { unpackModule } from "./unpack-module.js";

provide(() => unpackModule(text, frequent, length));

export * from "./api.js";

// Everywhere without a condition of its own: the module is inline, as text that compresses well, and
// compiled when first needed.
import { frequent, length, text } from "./bus-inline.js";
import { provideBytes } from "./internal.js";
import { unpackModule } from "./unpack-module.js";

provideBytes(() => unpackModule(text, frequent, length));

export * from "./api.js";

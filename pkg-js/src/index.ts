// Everywhere without a condition of its own: the module is inline and deflated, and compiled when
// first needed.
import { deflated, length } from "./bus-inline.js";
import { inflateModule } from "./decode-module.js";
import { provide } from "./internal.js";

provide(() => inflateModule(deflated, length));

export * from "./api.js";

// Everywhere without a condition of its own: the module is inline and deflated, and compiled when
// first needed.
import { deflated, length } from "./bus-inline.js";
import { provide } from "./shared.js";
import { unpack } from "./unpack.js";

provide(() => unpack(deflated, length));

export * from "./api.js";

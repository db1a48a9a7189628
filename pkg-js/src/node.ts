// Node, and those who take what is for it: to load what inflates there takes longer than to read a
// module that is not deflated.
import { base64 } from "./bus-base64.js";
import { fromBase64, provide } from "./internal.js";

provide(() => fromBase64(base64));

export * from "./api.js";

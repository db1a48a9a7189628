// Node, and those who take what is for it: to load what inflates there takes longer than to read a
// module that is not deflated.
import { Buffer } from "node:buffer";
import { base64 } from "./bus-base64.js";
import { provide } from "./shared.js";

provide(() => Buffer.from(base64, "base64"));

export * from "./api.js";

// Node, and runtimes that take its condition: there are few bundles there, and base64 is decoded in a
// tenth of the time of text that compresses well.
import { base64 } from "./bus-base64.js";
import { fromBase64, provideBytes, provideRequests, setNonceSource } from "./internal.js";
import { nodeNonce } from "./node-nonce.js";

setNonceSource(nodeNonce);
provideRequests();
provideBytes(() => fromBase64(base64));

export * from "./api.js";

// Node, and runtimes that take its condition: loading an inflater takes longer there than reading a
// module that is not deflated.
import { base64 } from "./bus-base64.js";
import {
  fromBase64,
  ManualScheduler,
  provide,
  provideRequestSupport,
  RequestFlusher,
  setNonceSource,
} from "./internal.js";
import { nodeNonce } from "./node-nonce.js";

setNonceSource(nodeNonce);
provideRequestSupport({ ManualScheduler, RequestFlusher });
provide(() => fromBase64(base64));

export * from "./api.js";

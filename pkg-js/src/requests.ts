// For buses whose work belongs to requests: the scheduler "manual" and `waitUntil`. The entries for
// servers and Workers have it already.
import { ManualScheduler, provideRequestSupport, RequestFlusher } from "./internal.js";

provideRequestSupport({ ManualScheduler, RequestFlusher });

export type { RequestContext } from "./delivery/request-context.js";
export type { WaitUntilOptions } from "./delivery/wait-until.js";

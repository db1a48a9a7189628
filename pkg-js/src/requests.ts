// For buses whose work belongs to requests: the scheduler "manual" and `waitUntil`. The entries for
// servers and Workers have it already.
import { provideRequests } from "./internal.js";

provideRequests();

export type { RequestContext } from "./delivery/request-context.js";
export type { WaitUntilOptions } from "./delivery/wait-until.js";

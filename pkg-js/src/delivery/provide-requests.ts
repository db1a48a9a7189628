import { ManualScheduler } from "./manual-scheduler.js";
import { provideRequestSupport } from "./request-support.js";
import { RequestFlusher } from "./wait-until.js";

/** Lets buses have the scheduler `"manual"` and `waitUntil`. */
export function provideRequests(): void {
  provideRequestSupport({ ManualScheduler, RequestFlusher });
}

// How a request finds out whether another one still does what it began. It looks instead of being
// told, because what a request tells may be lost with it.

import { elapsed } from "./clock.js";

/** How often a request that waits looks, at first. */
export const TICK_MS = 50;

/** How seldom whoever does the work looks at last: others can tell soon that it is gone. */
const WORKER_TICK_MS = 500;

/** How seldom others look at last: in an outage there are many of them. */
const WATCHER_TICK_MS = 4000;

/**
 * How long after it was to show itself a request is silent before it is taken to have ended: twenty
 * times the tick, so that one that is merely slow is left alone.
 */
const GONE_MS = 1000;

/** When a request is to show at the latest that it is alive, on the clock of `elapsed()`. */
export class Sign {
  dueAt = elapsed();

  /** Whether it was silent for too long, at `now`, for its request to be alive. */
  isGone(now: number): boolean {
    return now - this.dueAt >= GONE_MS;
  }
}

/**
 * How long to wait until the next look, having waited so long in all. Each look wakes a request up,
 * which in workerd costs as much as a fifth of a request.
 */
export const nextLook = (waitedMs: number, isWorking: boolean): number =>
  Math.min(Math.max(waitedMs / 2, TICK_MS), isWorking ? WORKER_TICK_MS : WATCHER_TICK_MS);

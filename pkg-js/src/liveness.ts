// Requests find out whether another one is alive. They look, and are not told: a message may be
// lost with its request.

import { elapsed } from "./clock.js";

/** The first pause between two looks of a request that waits. */
export const TICK_MS = 50;

/** The longest pause of the request that does the work: others can tell soon that it is gone. */
const WORKER_TICK_MS = 500;

/** The longest pause of the others: in an outage there are many of them. */
const WATCHER_TICK_MS = 4000;

/**
 * The silence after which a request is taken to have ended: twenty times the tick, so that a slow
 * one is left alone.
 */
const GONE_MS = 1000;

/** The latest time at which a request shows that it is alive, on the clock of `elapsed()`. */
export class Sign {
  dueAt = elapsed();

  /** Tells whether the silence, at `now`, is too long for the request to be alive. */
  isGone(now: number): boolean {
    return now - this.dueAt >= GONE_MS;
  }
}

/**
 * The pause until the next look, after waiting `waitedMs` in all. Each look wakes a request up,
 * which in workerd costs as much as a fifth of a request.
 */
export const nextLook = (waitedMs: number, isWorking: boolean): number =>
  Math.min(Math.max(waitedMs / 2, TICK_MS), isWorking ? WORKER_TICK_MS : WATCHER_TICK_MS);

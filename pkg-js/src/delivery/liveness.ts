// Requests find out whether another one is alive. They look, and are not told: a message may be
// lost with its request.

import { elapsed } from "../util/clock.js";

/** The first pause between two looks of a request that waits. */
export const HEARTBEAT_MS = 50;

/** The longest pause of the request that does the work: others can tell soon that it is gone. */
const WORKER_HEARTBEAT_MS = 500;

/** The longest pause of the others: in an outage there are many of them. */
export const WATCHER_HEARTBEAT_MS = 4000;

/**
 * The silence after which a request is taken to have ended: twice the longest pause of the one that
 * does the work, so that a slow one is left alone.
 */
const LEASE_TIMEOUT_MS = 1000;

/** The latest time at which a request shows that it is alive, on the clock of `elapsed()`. */
export class Heartbeat {
  dueAt = elapsed();

  /** The time from which the silence is too long for the request to be alive. */
  get expiresAt(): number {
    return this.dueAt + LEASE_TIMEOUT_MS;
  }

  /** Tells whether the silence, at `now`, is too long for the request to be alive. */
  isExpired(now: number): boolean {
    return now >= this.expiresAt;
  }
}

/**
 * The pause until the next look, after waiting `waitedMs` in all. Each look wakes a request up,
 * which in workerd costs as much as a fifth of a request.
 */
export const nextHeartbeat = (waitedMs: number, isWorking: boolean): number =>
  Math.min(
    Math.max(waitedMs / 2, HEARTBEAT_MS),
    isWorking ? WORKER_HEARTBEAT_MS : WATCHER_HEARTBEAT_MS,
  );

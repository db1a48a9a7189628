// Requests find out whether another one is alive. They look, and are not told: a message may be
// lost with its request.

import { elapsed } from "../util/clock.js";

/** The first pause between two looks of a request that waits. */
export const HEARTBEAT_MS = 50;

/** The longest pause between them: in an outage there are many requests that wait. */
export const WATCHER_HEARTBEAT_MS = 4000;

/**
 * The silence after which a request is taken to have ended: twice the longest pause of an owner
 * that sends, so that a slow one is left alone.
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

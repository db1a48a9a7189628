import type { FlushCounts } from "../generated/stats.js";
import type { WaitOptions } from "../options.js";
import type { Signal } from "../util/platform.js";

/** The outcome of all events that were pending when a flush began. */
export interface FlushReport extends FlushCounts {
  /**
   * True if the time was up first; for `close()`, also if it would have been before the next
   * attempt could begin. With the scheduler `"manual"` it is also up for a flush that could not run
   * for a second, because others take its request to have ended.
   */
  readonly timedOut: boolean;
}

/** Options of a flush within the package. */
export interface FlushOptions extends WaitOptions {
  /**
   * Told, each time that the flush waits by itself, when it looks again at the latest: for others, who
   * take it for lost if it does not.
   */
  readonly onSleep?: ((until: number) => void) | undefined;
}

/** The events that a bus may take in before the core has to be polled. */
export interface Leeway {
  readonly events: number;
  /** Bytes of them, each counted as one byte longer than it is. */
  readonly bytes: number;
}

/** Decides when the core is polled, and lets callers wait for the results. */
export interface Scheduler {
  /** Something changed: looks after it at the end of this turn. */
  schedule(): void;
  /** Events are staged: has them cross at the end of this turn, unless they may stay staged. */
  scheduleStaged(): void;
  /** Looks after changes now, and not at the end of this turn, if this scheduler sends by itself. */
  pollNow?(): void;
  /** Sends the pending events, and resolves when they are settled. */
  flush(options: FlushOptions): Promise<FlushReport>;
  /** Resolves when there is room. */
  ready(signal: Signal | undefined): Promise<void>;
  /** Resolves when all callbacks that run now have settled. */
  settled(): Promise<void>;
  /** Tells the core of the attempts that have succeeded, without waiting for the store. */
  conclude(): void;
  /**
   * Cuts off every attempt, gives up the rest, and releases all waiters; the core is about to go.
   */
  stop(): void;
}

/** A scheduler's view of its bus. */
export interface SchedulerHost {
  /** Brings back the batches of earlier runs, as far as that is possible now. */
  restore(): Promise<void>;
  /** Called at the end of a turn in which something was offered: it may offer more. */
  onTurnEnd(): void;
  /** Called before the core is polled. */
  beforePoll(): void;
  /** A poll has found that so many events may come before the next one. */
  onLeeway(leeway: Leeway): void;
  /** Keeps the staged events over the end of a turn. Returns whether the leeway covers them. */
  keepStaged(now: number): boolean;
  /** Called after the core has said that there is nothing to do now. */
  afterPoll(): void;
  /** Called at the end of a flush after which the bus may do nothing for long. */
  afterFlush(): void;
}

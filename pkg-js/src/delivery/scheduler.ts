import type { WaitOptions } from "../options.js";

/**
 * What may be handed out before others get their turn: bytes of bodies, and batches. Copying that
 * much takes a fraction of a millisecond; with less, a producer that yields after every thousand
 * small events would outrun the bus.
 */
export const MAX_BYTES_PER_TASK = 256 << 10;
export const MAX_BATCHES_PER_TASK = 8;

/** What became of everything that was in the bus when a flush began. */
export interface FlushReport {
  /** Events delivered since. */
  readonly delivered: number;
  /** Events given up since. */
  readonly abandoned: number;
  /** Events evicted since, to make room for newer ones. */
  readonly evicted: number;
  /** Events taken out by `drain()` since. */
  readonly drained: number;
  /** Events that are still in the bus; 0 unless the time was up. */
  readonly pending: number;
  /**
   * Whether the time was up first; for `close()`, also whether it would have been before the next
   * attempt could begin. With the scheduler `"manual"` it is also up for a flush that
   * could not run for a second, because others take its request to have ended.
   */
  readonly timedOut: boolean;
}

/** How to flush. */
export interface FlushOptions extends WaitOptions {
  /** Whether nothing comes after it: then it does not wait for attempts that begin too late. */
  readonly isLast?: boolean;
  /**
   * Told, each time that the flush waits by itself, when it looks again at the latest: for others, who
   * take it for lost if it does not.
   */
  readonly onSleep?: ((until: number) => void) | undefined;
}

/** Decides when the core is asked what to do, and lets callers wait for what comes of it. */
export interface Scheduler {
  /** Something changed: looks after it at the end of this turn. */
  schedule(): void;
  /** Sends what is in the bus, and resolves when it is settled. */
  flush(options: FlushOptions): Promise<FlushReport>;
  /** Resolves when there is room. */
  ready(): Promise<void>;
  /** Resolves when all callbacks that run now have settled. */
  settled(): Promise<void>;
  /** Tells the core of the attempts that have succeeded, without waiting for the store. */
  conclude(): void;
  /** Cuts off every attempt, gives up what is left, lets go of all who wait; the core is about to go. */
  stop(): void;
}

/** What a scheduler needs of the bus that it works for. */
export interface SchedulerHost {
  /** Brings back what earlier lives have left, as far as that is possible now. */
  restore(): Promise<void>;
  /** Called before the core is asked what to do. */
  beforePoll(): void;
  /** Called after the core has said that there is nothing to do now. */
  afterPoll(): void;
  /** Called at the end of a flush after which the bus may do nothing for long. */
  afterFlush(): void;
}

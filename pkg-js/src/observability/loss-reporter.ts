import type { CoreBatch } from "../batch.js";
import type { RunInContext } from "../delivery/async-context.js";
import type { AbandonReason } from "../generated/layout.js";
import type { Drop, DropReason } from "../options.js";
import type { BusStats } from "../stats.js";
import { elapsed } from "../util/clock.js";
import { ignorePoisoned } from "../util/detached.js";
import { DeadlineTimer, runInMicrotask } from "../util/event-loop.js";
import { isDropObserved, publishDrop } from "./diagnostics.js";
import type { Cause } from "./failures.js";
import { lossWarning } from "./loss-warning.js";

/**
 * The time for which a reason is held back after the handler was told of it: a handler may then log
 * or alert at every call, and an overload that refuses events in every turn costs nothing more.
 */
const INTERVAL_MS = 1000;

/** Reasons that speak of want of room: why there is none is worth saying. */
const FULL: ReadonlySet<DropReason> = new Set(["full", "sampled", "evicted"]);

/** Numbers by reason. */
type ByReason = Partial<Record<DropReason, number>>;

/** The reporter's view of its bus; all of it works after `close()` as well. */
export interface LossSource {
  readonly bus: object;
  /** The number of events that were refused or evicted. */
  lost(): number;
  stats(): BusStats;
  /** Why nothing leaves the bus, if that is so. */
  cause(): Cause | undefined;
  /** The error of events that were refused for this reason, if there is one. */
  refusal(reason: DropReason): Error | undefined;
  /** True if timers may be set. */
  readonly hasTimers: boolean;
  /** Calls the user's functions. */
  readonly run: RunInContext;
}

/**
 * Tells the user and `node:diagnostics_channel` of losses; without a handler, warns once.
 */
export class LossReporter<T> {
  readonly #source: LossSource;
  readonly #onDrop: ((drop: Drop<T>) => void) | undefined;
  readonly #timer: DeadlineTimer | undefined;
  /** The number of losses at the last report. */
  #seen = 0;
  /** The number that the handler was told of, and the time: on the clock of `elapsed()`. */
  #told: ByReason = {};
  #toldAt: ByReason = {};
  /** The time of the first report that is held back; infinite, if there is none. */
  #dueAt = Number.POSITIVE_INFINITY;
  #scheduled = false;
  #warned = false;

  constructor(source: LossSource, onDrop: ((drop: Drop<T>) => void) | undefined) {
    this.#source = source;
    this.#onDrop = onDrop;
    // Always looks: an alarm may be a fraction of a millisecond early, and is set again then.
    if (source.hasTimers) this.#timer = new DeadlineTimer(() => ignorePoisoned(() => this.#look()));
  }

  /** A batch was given up: told at once, because the handler may be where it is kept. */
  abandoned(reason: AbandonReason, batch: CoreBatch<T>, attempts: number, error: unknown): void {
    this.#tell({
      reason,
      count: batch.count,
      batch,
      attempts,
      ...(error !== undefined && { error }),
    });
  }

  /** Looks for losses at the end of this turn: for a bus that has nobody else to do it. */
  schedule(): void {
    if (this.#scheduled) return;
    // First: at the end of the stack it throws.
    runInMicrotask(() => {
      this.#scheduled = false;
      this.report();
    });
    this.#scheduled = true;
  }

  /**
   * Reports refused and evicted events, except for a reason that was reported less than a second
   * ago.
   */
  report(): void {
    // The time is asked only where it matters: while a snapshot is made, StarlingMonkey has no clock.
    const isNothingDue = this.#dueAt === Number.POSITIVE_INFINITY || elapsed() < this.#dueAt;
    if (this.#source.lost() === this.#seen && isNothingDue) return;
    this.#look();
  }

  /** Tells of everything that was refused or evicted, at once: nobody may look later. */
  reportAll(): void {
    this.#look(0);
    this.#timer?.clear();
  }

  #look(intervalMs = INTERVAL_MS): void {
    // Without a handler there is nothing more to say, and no timer to set.
    if (this.#warned && !isDropObserved()) return;
    const now = elapsed();
    const { rejected, evicted } = this.#source.stats();
    const drops: Drop<T>[] = [];
    this.#seen = this.#source.lost();
    this.#dueAt = Number.POSITIVE_INFINITY;
    for (const [reason, lost] of Object.entries({ ...rejected, evicted }) as [
      DropReason,
      number,
    ][]) {
      const count = lost - (this.#told[reason] ?? 0);
      if (count === 0) continue;
      const dueAt = (this.#toldAt[reason] ?? Number.NEGATIVE_INFINITY) + intervalMs;
      if (now < dueAt) {
        this.#dueAt = Math.min(this.#dueAt, dueAt);
        continue;
      }
      this.#told[reason] = lost;
      this.#toldAt[reason] = now;
      const { error } = FULL.has(reason)
        ? (this.#source.cause() ?? {})
        : { error: this.#source.refusal(reason) };
      drops.push({ reason, count, ...(error !== undefined && { error }) });
    }
    this.#timer?.schedule(this.#dueAt);
    // Last: a handler may lose events itself, and have them reported.
    for (const drop of drops) this.#tell(drop);
  }

  #tell(drop: Drop<T>): void {
    this.#source.run(() => this.#publish(drop));
  }

  #publish(drop: Drop<T>): void {
    publishDrop(this.#source.bus, drop);
    if (this.#onDrop === undefined) {
      if (this.#warned) return;
      this.#warned = true;
      console.warn(lossWarning(drop, this.#source.cause()));
      return;
    }
    this.#call(drop).catch((error) => {
      console.error("shardbus: the `onDrop` handler threw", error);
    });
  }

  /** Async, so that a handler that throws is one that rejects. */
  async #call(drop: Drop<T>): Promise<void> {
    await this.#onDrop?.(drop);
  }
}

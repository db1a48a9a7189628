import type { CoreBus } from "../core/core-bus.js";
import { flushReport } from "../core/layout.js";
import { ClosedError } from "../errors/closed-error.js";
import { FlushState } from "../generated/layout.js";
import { elapsed } from "../util/clock.js";
import {
  after,
  afterAnswers,
  DeadlineTimer,
  runAfterCurrentTask,
  runInMicrotask,
  runInNewTask,
} from "../util/event-loop.js";
import type { Signal } from "../util/platform.js";
import { type Attempts, type Dispatcher, firstDeadline } from "./dispatcher.js";
import type { LifecycleHost } from "./page-lifecycle.js";
import type { FlushOptions, FlushReport, Scheduler, SchedulerHost } from "./scheduler.js";
import { type Waiter, Waiters } from "./waiters.js";

/**
 * The scheduler `"auto"`: one for all who use the bus. It looks after changes at the end of the
 * turn, and wakes up when the core wants to be asked again.
 */
export class AutoScheduler<T> implements Scheduler, LifecycleHost {
  readonly #core: CoreBus;
  readonly #dispatcher: Dispatcher<T>;
  readonly #host: SchedulerHost;
  readonly #waiters: Waiters;
  readonly #attempts: Attempts = new Map();
  readonly #timer = new DeadlineTimer(() => this.#runTask());
  #scheduled = false;
  /** True if anything has changed beside the staged events. */
  #isDue = false;
  /** The time, by the wall clock, until which staged events may stay. */
  #calmUntil = 0;
  /** Stands for the task in which the page was left, until that has ended. */
  #unloadTask: symbol | undefined;
  /** The flush of the events that were pending when the page was left. */
  #unloadFlush: number | undefined;
  /** The turns that attempts get before they are cut off. */
  #lastTurns: "to come" | "over" | undefined;
  #stopped = false;

  constructor(core: CoreBus, dispatcher: Dispatcher<T>, host: SchedulerHost) {
    this.#core = core;
    this.#dispatcher = dispatcher;
    this.#host = host;
    // Only while somebody waits do the timers keep the process alive.
    this.#waiters = new Waiters(core, (awaited) => this.#timer.setRef(awaited));
  }

  schedule(): void {
    this.#isDue = true;
    this.scheduleStaged();
  }

  scheduleStaged(): void {
    if (this.#scheduled) return;
    // First: at the end of the stack it throws.
    runInMicrotask(this.#runScheduled);
    this.#scheduled = true;
  }

  pollNow(): void {
    this.#runTask();
  }

  /** Runs again once others had their turn. */
  #yield(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    runInNewTask(() => {
      this.#scheduled = false;
      this.#runTask();
    });
  }

  #runTask(): void {
    this.#runDetached(() => {
      this.#core.beginTask();
      this.#run();
    });
  }

  readonly #runScheduled = (): void => {
    // While it is scheduled: what this offers needs no turn of its own.
    this.#runDetached(() => this.#host.onTurnEnd());
    this.#scheduled = false;
    this.#runDetached(this.#endTurn);
  };

  readonly #endTurn = (): void => {
    const now = Date.now();
    this.#waitForCore(now);
    // A clock of a test's own has to be asked each time.
    const mayStay = !this.#isDue && now < this.#calmUntil && this.#timer.isRunning();
    if (!mayStay || !this.#host.keepStaged(now)) this.#run();
  };

  /** Before the core has made the bus, only the first events' delay can make it due. */
  #waitForCore(now: number): void {
    const delayMs = this.#core.beginning?.delayMs;
    if (delayMs === undefined || this.#isDue || this.#timer.isRunning()) return;
    this.#timer.schedule(elapsed() + delayMs);
    this.#calmUntil = now + delayMs;
  }

  /** Runs a task without a caller who could catch its errors. */
  #runDetached(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#waiters.fail(error);
    }
  }

  /** Polls the core, and follows it, until it waits or others are to have their turn. */
  #run(): void {
    this.#isDue = false;
    this.#calmUntil = 0;
    if (this.#stopped || this.#letsAnswersIn()) return;
    this.#dispatcher.cutOff(this.#attempts);
    this.#host.beforePoll();
    if (this.#unloadTask !== undefined) this.#flushForUnload();
    const wakeAt = this.#handOut();
    if (wakeAt === undefined) this.#yield();
    else this.#waitUntil(Math.min(wakeAt, firstDeadline(this.#attempts)));
    this.#afterPoll();
  }

  #waitUntil(time: number): void {
    this.#timer.schedule(time);
    const { leeway } = this.#dispatcher;
    if (leeway === undefined || this.#unloadTask !== undefined) return;
    this.#host.onLeeway(leeway);
    this.#calmUntil = Date.now() + time - elapsed();
  }

  /**
   * Gives attempts that have taken too long a few more turns. A process that stood still finds its
   * timers due before it has read the answers that came meanwhile, and a fake clock makes time pass at
   * a stroke; and until they are read, the core must not be asked, which would take their leases back.
   * Returns whether these turns are still to come.
   */
  #letsAnswersIn(): boolean {
    // A page that goes has no more turns.
    if (this.#unloadTask !== undefined) return false;
    if (firstDeadline(this.#attempts) > elapsed()) return false;
    if (this.#lastTurns === undefined) {
      this.#lastTurns = "to come";
      afterAnswers(() => {
        this.#lastTurns = "over";
        this.#runTask();
        this.#lastTurns = undefined;
      });
    }
    return this.#lastTurns === "to come";
  }

  /**
   * Begins attempts. Returns when to ask again, on the clock of `elapsed()`; nothing, if that is
   * once others had their turn.
   */
  #handOut(): number | undefined {
    for (;;) {
      const polled = this.#dispatcher.poll(this.#attempts, this.#settle);
      if (typeof polled === "number") return polled;
      if (polled === "yield") return undefined;
      // The callback may have offered events.
      this.#host.beforePoll();
    }
  }

  /**
   * Sends everything: as much as can outlive the page now, and the rest as soon as its shards may.
   * Batches in flight are not sent again.
   */
  #flushForUnload(): void {
    this.#dispatcher.sendBeforeUnload(this.#attempts, this.#settle);
    if (this.#unloadFlush !== undefined) this.#core.endFlush(this.#unloadFlush);
    this.#unloadFlush = this.#core.beginFlush(Number.POSITIVE_INFINITY);
  }

  onHidden(): void {
    const unloadTask = Symbol();
    this.#unloadTask = unloadTask;
    // Until then other listeners of `pagehide` run, and the events that they ingest are sent, too.
    runAfterCurrentTask(() => {
      if (this.#unloadTask === unloadTask) this.#unloadTask = undefined;
    });
    // It may have been put off to a task that does not come any more.
    this.#scheduled = false;
    this.#runTask();
  }

  onVisible(): void {
    this.#unloadTask = undefined;
    // A timer that stood still with the page is late.
    this.#timer.clear();
    this.#runTask();
  }

  onOnline(): void {
    this.#core.probe();
    this.#runTask();
  }

  #afterPoll(): void {
    this.#endUnloadFlush();
    this.#waiters.check();
    this.#host.afterPoll();
  }

  #endUnloadFlush(): void {
    if (this.#unloadFlush === undefined) return;
    if (flushReport(this.#core, this.#unloadFlush, false).pending > 0) return;
    this.#core.endFlush(this.#unloadFlush);
    this.#unloadFlush = undefined;
  }

  readonly #settle = (answer: () => void): void => {
    this.#runDetached(answer);
    this.schedule();
  };

  async flush({ timeoutMs, signal, onSleep }: FlushOptions): Promise<FlushReport> {
    signal?.throwIfAborted();
    // Its conditions do not depend on the caller.
    onSleep?.(Number.POSITIVE_INFINITY);
    this.#host.beforePoll();
    const flush = this.#core.beginFlush(elapsed() + (timeoutMs ?? Number.POSITIVE_INFINITY));
    this.schedule();
    const report = (timedOut: boolean): FlushReport => flushReport(this.#core, flush, timedOut);
    let timer: ReturnType<typeof after> | undefined;
    try {
      return await this.#waiters.wait<FlushReport>(signal, (resolve, reject) => {
        const waiter: Waiter = {
          awaitsReady: false,
          check: () => {
            const state = this.#core.flushState(flush);
            if (state === FlushState.Open) return false;
            resolve(report(state === FlushState.TimedOut));
            return true;
          },
          // `stop` settles everything before it lets go of the core.
          close: () => resolve(report(false)),
          reject,
        };
        const finish = () => {
          if (!this.#waiters.remove(waiter)) return;
          try {
            if (!waiter.check()) resolve(report(true));
          } catch (error) {
            reject(error);
          }
        };
        // After the answers that came while the process stood still.
        if (timeoutMs !== undefined) timer = after(timeoutMs, () => afterAnswers(finish));
        return waiter;
      });
    } finally {
      timer?.cancel();
      if (!this.#stopped) this.#core.endFlush(flush);
    }
  }

  async ready(signal: Signal | undefined): Promise<void> {
    this.schedule();
    await this.#waiters.wait<void>(signal, (resolve, reject) => ({
      awaitsReady: true,
      check: () => {
        const isReady = this.#core.isReady();
        if (isReady) resolve();
        return isReady;
      },
      close: () => reject(new ClosedError()),
      reject,
    }));
  }

  async settled(): Promise<void> {
    await Promise.all([...this.#attempts.values()].map(({ done }) => done));
  }

  conclude(): void {
    this.#dispatcher.conclude([this.#attempts]);
  }

  stop(): void {
    this.#dispatcher.stop([this.#attempts]);
    this.#afterPoll();
    this.#stopped = true;
    this.#timer.clear();
    this.#waiters.close();
  }
}

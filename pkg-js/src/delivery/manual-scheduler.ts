import type { CoreBus } from "../core/core-bus.js";
import { flushReport } from "../core/layout.js";
import { ClosedError } from "../errors/closed-error.js";
import { elapsed } from "../util/clock.js";
import { ignorePoisoned } from "../util/detached.js";
import { after, afterAnswers, DeadlineTimer, pause, runInNewTask } from "../util/event-loop.js";
import { type Attempts, type Dispatcher, firstDeadline } from "./dispatcher.js";
import { HEARTBEAT_MS, Heartbeat, nextHeartbeat } from "./liveness.js";
import type { FlushOptions, FlushReport, Scheduler, SchedulerHost } from "./scheduler.js";

/** One flush, and the attempts that it begins, which belong to the request that called for it. */
class FlushLoop {
  readonly flush: number;
  readonly attempts: Attempts = new Map();
  readonly beganAt = elapsed();
  readonly heartbeat = new Heartbeat();
  /** The result of the flush, if another loop has ended it. */
  report: FlushReport | undefined;
  // An answer begins no task: a callback that awaits nothing answers within the task of its attempt.
  readonly #timer = new DeadlineTimer(() => {
    ignorePoisoned(() => this.#core.beginTask());
    this.wake();
  });
  #resume = () => {};

  readonly #core: CoreBus;
  readonly #onSleep: ((until: number) => void) | undefined;

  constructor(core: CoreBus, onSleep?: (until: number) => void) {
    this.#core = core;
    this.#onSleep = onSleep;
    core.beginTask();
    this.flush = core.beginFlush();
    this.#timer.setRef(true);
  }

  /** Lets the process end before the attempts have: nobody waits for them any more. */
  release(): void {
    this.#timer.setRef(false);
  }

  /** Waits for `time` at most, on the clock of `elapsed()`. */
  async sleepUntil(time: number): Promise<void> {
    this.heartbeat.dueAt = time;
    this.#onSleep?.(time);
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#timer.schedule(time);
    });
    this.#timer.clear();
    await this.#catchUp();
  }

  /**
   * Lets answers that came meanwhile be read before attempts are cut off. If the whole process
   * stood still, other loops get to show that they are alive, too.
   */
  async #catchUp(): Promise<void> {
    const now = elapsed();
    if (firstDeadline(this.attempts) > now && !this.heartbeat.isExpired(now)) return;
    this.heartbeat.dueAt = now;
    await new Promise<void>((resolve) => afterAnswers(resolve));
    this.#core.beginTask();
  }

  /** Awaits work that may be slow, and shows meanwhile that the request is alive. */
  async stayAliveFor(work: Promise<void>): Promise<void> {
    const beat = () => {
      const now = elapsed();
      const pause = nextHeartbeat(now - this.beganAt, true);
      this.heartbeat.dueAt = now + pause;
      this.#onSleep?.(now + pause);
      return after(pause, () => {
        timer = beat();
      });
    };
    let timer = beat();
    try {
      await work;
    } finally {
      timer.cancel();
    }
  }

  /** Lets others have their turn. */
  async yield(): Promise<void> {
    await new Promise<void>((resolve) => runInNewTask(resolve));
    this.#core.beginTask();
  }

  /** For the loop's own request alone. */
  readonly wake = (): void => this.#resume();
}

/**
 * The scheduler `"manual"`, made for Cloudflare Workers: a request can end at any moment, and with
 * it every promise and timer that it made. So only a flush sends, in a loop of its own: it awaits
 * its own promises, and polls for the results of other loops, which are plain data. One loop sends,
 * the *leader*; the others wait for it. A loop that fell silent has lost its request: another one
 * expires its leases, and sends its batches again.
 */
export class ManualScheduler<T> implements Scheduler {
  readonly #core: CoreBus;
  readonly #dispatcher: Dispatcher<T>;
  readonly #host: SchedulerHost;
  readonly #loops = new Set<FlushLoop>();
  /** The loop that sends; the others wait for it. */
  #leader: FlushLoop | undefined;
  /** The time of the last search for loops that have fallen silent. */
  #searchedAt = Number.NEGATIVE_INFINITY;
  #scheduled = false;
  #stopped = false;

  constructor(core: CoreBus, dispatcher: Dispatcher<T>, host: SchedulerHost) {
    this.#core = core;
    this.#dispatcher = dispatcher;
    this.#host = host;
  }

  /** Legal at a Worker's global scope: there are no timers and no randomness, but microtasks. */
  schedule(): void {
    if (this.#scheduled) return;
    // First: at the end of the stack it throws.
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#stopped) return;
      ignorePoisoned(() => {
        this.#host.beforePoll();
        this.#host.afterPoll();
      });
    });
    this.#scheduled = true;
  }

  async flush({ timeoutMs, signal, onSleep, isLast = false }: FlushOptions): Promise<FlushReport> {
    signal?.throwIfAborted();
    // The request that was to run the microtask may have been killed before it did.
    this.#scheduled = false;
    this.#host.beforePoll();
    const loop = new FlushLoop(this.#core, onSleep);
    this.#loops.add(loop);
    // No flush follows, so only this loop knows when waiting is hopeless.
    if (isLast) this.#leader = loop;
    signal?.addEventListener("abort", loop.wake, { once: true });
    try {
      const end = loop.beganAt + (timeoutMs ?? Number.POSITIVE_INFINITY);
      return await this.#settle(loop, end, isLast, signal);
    } finally {
      signal?.removeEventListener("abort", loop.wake);
      if (this.#leader === loop) this.#leader = undefined;
      if (loop.report === undefined) this.#core.endFlush(loop.flush);
      void this.#awaitRemaining(loop);
      this.#host.afterFlush();
    }
  }

  /** Sends the events of the loop's flush until they are settled, or until `end`. */
  async #settle(
    loop: FlushLoop,
    end: number,
    isLast: boolean,
    signal?: AbortSignal,
  ): Promise<FlushReport> {
    do {
      const leads = this.#leads(loop);
      if (leads && this.#core.wantsRestored()) {
        await loop.stayAliveFor(this.#host.restore());
      }
      const wake = leads ? await this.#handOut(loop) : Number.POSITIVE_INFINITY;
      signal?.throwIfAborted();
      const report = this.#report(loop);
      // The loop's attempts belong to this request, even if another flush asked for them.
      const isDone = report.pending === 0 && !this.#core.isRestoring();
      if (isDone && loop.attempts.size === 0) return report;
      if (loop.report !== undefined) return loop.report;
      if (isLast && wake > end && this.#isIdle()) break;
      const now = elapsed();
      const tick = nextHeartbeat(now - loop.beganAt, leads);
      await loop.sleepUntil(Math.min(now + tick, wake, end));
      signal?.throwIfAborted();
    } while (elapsed() < end);
    const report = this.#report(loop);
    return { ...report, timedOut: report.pending > 0 };
  }

  /** Tells whether this loop sends: the first one does, until it is done or falls silent. */
  #leads(loop: FlushLoop): boolean {
    const now = elapsed();
    loop.heartbeat.dueAt = now;
    if (this.#leader?.heartbeat.isExpired(now)) this.#expire(this.#leader);
    this.#leader ??= loop;
    // A loop looks after its own attempts, whoever leads.
    return this.#leader === loop || loop.attempts.size > 0;
  }

  /** True if no batch is loaded, and no loop has an attempt under way, ended requests included. */
  #isIdle(): boolean {
    const isWaiting = [...this.#loops].some(({ attempts }) => attempts.size > 0);
    return !isWaiting && !this.#dispatcher.isLoading;
  }

  #report(loop: FlushLoop): FlushReport {
    return loop.report ?? flushReport(this.#core, loop.flush, false);
  }

  /** Begins the attempts that can begin now, and returns when to look again. */
  async #handOut(loop: FlushLoop): Promise<number> {
    for (;;) {
      this.#heartbeat(loop);
      for (;;) {
        const wake = firstDeadline(loop.attempts);
        const isDone = this.#report(loop).pending === 0 && !this.#core.isRestoring();
        if (loop.report !== undefined || isDone) return wake;
        const polled = this.#dispatcher.poll(loop.attempts, (answer) => {
          ignorePoisoned(answer);
          loop.wake();
        });
        if (typeof polled === "number") {
          this.#host.afterPoll();
          return Math.min(polled, wake);
        }
        if (polled === "yield") break;
      }
      await loop.yield();
    }
  }

  /** Shows that the loop's request is alive, and expires the loops of ended requests. */
  #heartbeat(loop: FlushLoop): void {
    if (this.#stopped) return;
    const now = elapsed();
    loop.heartbeat.dueAt = now;
    if (now - this.#searchedAt >= HEARTBEAT_MS) {
      this.#searchedAt = now;
      for (const other of this.#loops) {
        if (other.heartbeat.isExpired(now)) this.#expire(other);
      }
    }
    this.#dispatcher.cutOff(loop.attempts);
    this.#host.beforePoll();
    this.#host.afterPoll();
  }

  /**
   * Ends the flush of a loop whose request has ended, and expires its leases, so that other loops
   * send its batches.
   */
  #expire(loop: FlushLoop): void {
    this.#loops.delete(loop);
    if (this.#leader === loop) this.#leader = undefined;
    // Should the request be alive after all, its time is up.
    loop.report = flushReport(this.#core, loop.flush, true);
    this.#core.endFlush(loop.flush);
    const leases = [...loop.attempts.keys()];
    loop.attempts.clear();
    this.#dispatcher.expire(leases);
  }

  /** Stays with the attempts that a flush leaves behind: nobody may take them for lost. */
  async #awaitRemaining(loop: FlushLoop): Promise<void> {
    loop.release();
    while (loop.attempts.size > 0) {
      ignorePoisoned(() => this.#heartbeat(loop));
      const now = elapsed();
      const tick = now + nextHeartbeat(now - loop.beganAt, true);
      await loop.sleepUntil(Math.min(tick, firstDeadline(loop.attempts)));
    }
    this.#loops.delete(loop);
  }

  async ready(): Promise<void> {
    while (!this.#core.isReady()) {
      await pause(HEARTBEAT_MS);
      if (this.#stopped) throw new ClosedError();
      this.#host.beforePoll();
    }
  }

  async settled(): Promise<void> {
    const running = () => {
      const alive = [...this.#loops].filter((loop) => !loop.heartbeat.isExpired(elapsed()));
      return alive.flatMap(({ attempts }) => [...attempts.keys()]);
    };
    const awaited = new Set(running());
    while (running().some((lease) => awaited.has(lease))) await pause(HEARTBEAT_MS);
  }

  conclude(): void {
    this.#dispatcher.conclude([...this.#loops].map(({ attempts }) => attempts));
  }

  stop(): void {
    this.#stopped = true;
    this.#dispatcher.stop([...this.#loops].map(({ attempts }) => attempts));
    this.#host.afterPoll();
    for (const loop of this.#loops) {
      loop.report ??= flushReport(this.#core, loop.flush, false);
    }
    this.#loops.clear();
  }
}

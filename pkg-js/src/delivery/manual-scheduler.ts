import type { CoreBus } from "../core/core-bus.js";
import { flushReport } from "../core/layout.js";
import { ClosedError } from "../errors/closed-error.js";
import { FlushState } from "../generated/layout.js";
import { elapsed } from "../util/clock.js";
import { ignorePoisoned, ignorePoisonedAsync } from "../util/detached.js";
import { after, afterAnswers, DeadlineTimer, pause, runInNewTask } from "../util/event-loop.js";
import type { Signal } from "../util/platform.js";
import { type Attempts, type Dispatcher, firstDeadline } from "./dispatcher.js";
import { HEARTBEAT_MS } from "./liveness.js";
import type { FlushOptions, FlushReport, Scheduler, SchedulerHost } from "./scheduler.js";

/** The pause between two signs of life of a request that awaits the store. */
const LEAD_MS = 5 * HEARTBEAT_MS;

/** One flush, and the attempts that it begins, which belong to the request that called for it. */
class FlushLoop {
  readonly flush: number;
  readonly attempts: Attempts = new Map();
  /** The result of the flush, if others have ended it. */
  report: FlushReport | undefined;
  readonly #core: CoreBus;
  readonly #onSleep: ((until: number) => void) | undefined;
  // An answer begins no task: a callback that awaits nothing answers within the task of its attempt.
  readonly #timer = new DeadlineTimer(() => {
    ignorePoisoned(() => this.#core.beginTask());
    this.wake();
  });
  #resume = () => {};

  constructor(core: CoreBus, { timeoutMs = Number.POSITIVE_INFINITY, onSleep }: FlushOptions) {
    this.#core = core;
    this.#onSleep = onSleep;
    core.beginTask();
    this.flush = core.beginFlush(elapsed() + timeoutMs);
    this.#timer.setRef(true);
  }

  /** Lets the process end before the attempts have: nobody waits for them any more. */
  release(): void {
    this.#timer.setRef(false);
  }

  /** Waits for `time` at most, on the clock of `elapsed()`. */
  async sleepUntil(time: number): Promise<void> {
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
    if (firstDeadline(this.attempts) > now && !this.#core.isSilent(this.flush, now)) return;
    this.#core.lead(this.flush, now);
    await new Promise<void>((resolve) => afterAnswers(resolve));
    this.#core.beginTask();
  }

  /** Awaits work that may be slow, and shows meanwhile that the request is alive. */
  async stayAliveFor(work: Promise<void>): Promise<void> {
    const beat = () => {
      const now = elapsed();
      ignorePoisoned(() => this.#core.lead(this.flush, now));
      this.#onSleep?.(now + LEAD_MS);
      return after(LEAD_MS, () => {
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
 * its own promises, and polls the core, which knows the loops, says which one sends, and finds out
 * which ones have lost their request.
 */
export class ManualScheduler<T> implements Scheduler {
  readonly #core: CoreBus;
  readonly #dispatcher: Dispatcher<T>;
  readonly #host: SchedulerHost;
  /** By their flushes. */
  readonly #loops = new Map<number, FlushLoop>();
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

  scheduleStaged(): void {
    this.schedule();
  }

  async flush(options: FlushOptions): Promise<FlushReport> {
    const { signal } = options;
    signal?.throwIfAborted();
    // The request that was to run the microtask may have been killed before it did.
    this.#scheduled = false;
    this.#host.beforePoll();
    const loop = new FlushLoop(this.#core, options);
    this.#loops.set(loop.flush, loop);
    signal?.addEventListener("abort", loop.wake, { once: true });
    try {
      await this.#run(loop, signal);
      return loop.report ?? this.#report(loop);
    } finally {
      signal?.removeEventListener("abort", loop.wake);
      if (loop.report === undefined) this.#core.endFlush(loop.flush);
      void ignorePoisonedAsync(this.#awaitRemaining(loop));
      this.#host.afterFlush();
    }
  }

  /** Performs the core's actions until it has none left for the loop. */
  async #run(loop: FlushLoop, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const leads = this.#core.lead(loop.flush, elapsed());
      if (leads && this.#core.wantsRestored()) await loop.stayAliveFor(this.#host.restore());
      const wake = await this.#handOut(loop);
      signal?.throwIfAborted();
      if (wake === Number.POSITIVE_INFINITY) return;
      await loop.sleepUntil(wake);
      signal?.throwIfAborted();
    }
  }

  /** Begins the attempts that can begin now, and returns when to look again; never, if it is over. */
  async #handOut(loop: FlushLoop): Promise<number> {
    while (!this.#stopped) {
      this.#dispatcher.cutOff(loop.attempts);
      this.#host.beforePoll();
      const polled = this.#poll(loop);
      this.#host.afterPoll();
      if (polled !== "yield") return polled;
      await loop.yield();
    }
    return Number.POSITIVE_INFINITY;
  }

  #poll(loop: FlushLoop): number | "yield" {
    const settle = (answer: () => void) => {
      ignorePoisoned(answer);
      loop.wake();
    };
    for (;;) {
      const polled = this.#dispatcher.poll(loop.attempts, settle, loop.flush, this.#lose);
      if (polled !== "begun") return polled;
    }
  }

  #report({ flush }: FlushLoop): FlushReport {
    return flushReport(this.#core, flush, this.#core.flushState(flush) !== FlushState.Settled);
  }

  /** Ends the flush of a loop whose request has ended: others send its batches. */
  readonly #lose = (flush: number): void => {
    const loop = this.#loops.get(flush);
    this.#loops.delete(flush);
    if (loop !== undefined) {
      // Should the request be alive after all, its time is up.
      loop.report = this.#report(loop);
      loop.attempts.clear();
    }
    this.#core.endFlush(flush);
  };

  /** Stays with the attempts that a flush leaves behind: nobody may take them for lost. */
  async #awaitRemaining(loop: FlushLoop): Promise<void> {
    loop.release();
    await this.#run(loop);
    this.#loops.delete(loop.flush);
  }

  async ready(signal: Signal | undefined): Promise<void> {
    while (!this.#core.isReady()) {
      await pause(HEARTBEAT_MS);
      signal?.throwIfAborted();
      if (this.#stopped) throw new ClosedError();
      this.#host.beforePoll();
    }
  }

  async settled(): Promise<void> {
    const running = () => {
      const now = elapsed();
      const loops = [...this.#loops.values()];
      const alive = loops.filter(({ flush }) => !this.#core.isSilent(flush, now));
      return alive.flatMap(({ attempts }) => [...attempts.keys()]);
    };
    const awaited = new Set(running());
    while (running().some((lease) => awaited.has(lease))) await pause(HEARTBEAT_MS);
  }

  conclude(): void {
    this.#dispatcher.conclude([...this.#loops.values()].map(({ attempts }) => attempts));
  }

  stop(): void {
    this.#stopped = true;
    this.#dispatcher.stop([...this.#loops.values()].map(({ attempts }) => attempts));
    this.#host.afterPoll();
    for (const loop of this.#loops.values()) {
      loop.report ??= flushReport(this.#core, loop.flush, false);
    }
    this.#loops.clear();
  }
}

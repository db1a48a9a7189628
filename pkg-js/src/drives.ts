import { alone } from "./alone.js";
import { elapsed } from "./clock.js";
import type { CoreBus } from "./core-bus.js";
import { type Attempts, type Courier, firstDeadline } from "./courier.js";
import { ClosedError } from "./errors/closed-error.js";
import { Alarm, afterAnswers, pause, yieldToLoop } from "./event-loop.js";
import { nextLook, Sign, TICK_MS } from "./liveness.js";
import { flushReport } from "./numbers.js";
import {
  type FlushOptions,
  type FlushReport,
  MAX_BATCHES_PER_TASK,
  MAX_BYTES_PER_TASK,
  type Scheduler,
  type SchedulerHost,
} from "./scheduler.js";

/** One flush, and the attempts that it begins, which belong to the request that called for it. */
class Drive {
  readonly flush: number;
  readonly attempts: Attempts = new Map();
  readonly beganAt = elapsed();
  readonly sign = new Sign();
  /** What the flush came to, if others have ended it. */
  report: FlushReport | undefined;
  /**
   * What may still be handed out before others get their turn. An answer does not renew it: that of
   * a callback that awaits nothing comes within the task of its attempt.
   */
  bytesLeft = MAX_BYTES_PER_TASK;
  batchesLeft = MAX_BATCHES_PER_TASK;
  readonly #alarm = new Alarm(() => {
    this.#beginTask();
    this.wake();
  });
  #resume = () => {};

  readonly #onSleep: ((until: number) => void) | undefined;

  constructor(flush: number, onSleep?: (until: number) => void) {
    this.flush = flush;
    this.#onSleep = onSleep;
    this.#alarm.setAwaited(true);
  }

  /** Lets the process end before the attempts have: nobody waits for them any more. */
  release(): void {
    this.#alarm.setAwaited(false);
  }

  /** Waits for `time` at most, on the clock of `elapsed()`. */
  async sleepUntil(time: number): Promise<void> {
    this.sign.dueAt = time;
    this.#onSleep?.(time);
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      this.#alarm.setFor(time);
    });
    this.#alarm.clear();
    await this.#catchUp();
  }

  /**
   * Lets answers that came meanwhile be read before attempts are cut off. If the whole process
   * stood still, other drives get to show that they are alive, too.
   */
  async #catchUp(): Promise<void> {
    const now = elapsed();
    if (firstDeadline(this.attempts) > now && !this.sign.isGone(now)) return;
    this.sign.dueAt = now;
    await new Promise<void>((resolve) => afterAnswers(resolve));
    this.#beginTask();
  }

  /** Lets others have their turn. */
  async yield(): Promise<void> {
    await new Promise<void>((resolve) => yieldToLoop(resolve));
    this.#beginTask();
  }

  #beginTask(): void {
    this.bytesLeft = MAX_BYTES_PER_TASK;
    this.batchesLeft = MAX_BATCHES_PER_TASK;
  }

  /** For the drive's own request alone. */
  readonly wake = (): void => this.#resume();
}

/**
 * The scheduler `"manual"`, made for Cloudflare Workers: a request can end at any moment, and with
 * it every promise and timer that it made. So nothing is sent but in a flush; a flush does all its
 * work in its own loop (its *drive*), awaits its own promises, and waits for other drives only by
 * looking. One of them sends, the *leader*; the others look now and then for the result. Drives
 * leave plain data for each other. A drive that fell silent has lost its request: others take its
 * leases back, and one of them sends its batches again.
 */
export class Drives<T> implements Scheduler {
  readonly #core: CoreBus;
  readonly #courier: Courier<T>;
  readonly #host: SchedulerHost;
  readonly #drives = new Set<Drive>();
  /** The drive that sends; the others wait for it. */
  #leader: Drive | undefined;
  /** The time of the last search for drives that have fallen silent. */
  #searchedAt = Number.NEGATIVE_INFINITY;
  #scheduled = false;
  #stopped = false;

  constructor(core: CoreBus, courier: Courier<T>, host: SchedulerHost) {
    this.#core = core;
    this.#courier = courier;
    this.#host = host;
  }

  /** Legal at a Worker's global scope: there are no timers and no randomness, but microtasks. */
  schedule(): void {
    if (this.#scheduled) return;
    // First: at the end of the stack it throws.
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#stopped) return;
      alone(() => {
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
    const drive = new Drive(this.#core.begin_flush(), onSleep);
    this.#drives.add(drive);
    // No flush follows, so only this drive knows when waiting is hopeless.
    if (isLast) this.#leader = drive;
    signal?.addEventListener("abort", drive.wake, { once: true });
    try {
      const end = drive.beganAt + (timeoutMs ?? Number.POSITIVE_INFINITY);
      return await this.#settle(drive, end, isLast, signal);
    } finally {
      signal?.removeEventListener("abort", drive.wake);
      if (this.#leader === drive) this.#leader = undefined;
      if (drive.report === undefined) this.#core.end_flush(drive.flush);
      void this.#linger(drive);
      this.#host.afterFlush();
    }
  }

  /** Sends what the drive's flush covers until it is settled, or until `end`. */
  async #settle(
    drive: Drive,
    end: number,
    isLast: boolean,
    signal?: AbortSignal,
  ): Promise<FlushReport> {
    do {
      const leads = this.#leads(drive);
      if (leads && this.#core.wants_restored()) await this.#host.restore();
      const wake = leads ? await this.#handOut(drive) : Number.POSITIVE_INFINITY;
      signal?.throwIfAborted();
      const report = this.#report(drive);
      // What it began belongs to this request, even if another flush asked for it.
      const isDone = report.pending === 0 && !this.#core.is_restoring();
      if (isDone && drive.attempts.size === 0) return report;
      if (drive.report !== undefined) return drive.report;
      if (isLast && wake > end && this.#isIdle()) break;
      const now = elapsed();
      const tick = nextLook(now - drive.beganAt, leads);
      await drive.sleepUntil(Math.min(now + tick, wake, end));
      signal?.throwIfAborted();
    } while (elapsed() < end);
    const report = this.#report(drive);
    return { ...report, timedOut: report.pending > 0 };
  }

  /** Tells whether this drive sends: the first one does, until it is done or falls silent. */
  #leads(drive: Drive): boolean {
    const now = elapsed();
    drive.sign.dueAt = now;
    if (this.#leader?.sign.isGone(now)) this.#bury(this.#leader);
    this.#leader ??= drive;
    // A drive looks after its own attempts, whoever leads.
    return this.#leader === drive || drive.attempts.size > 0;
  }

  /** Whether no drive has an attempt under way, be it one whose request has ended. */
  #isIdle(): boolean {
    return [...this.#drives].every(({ attempts }) => attempts.size === 0);
  }

  #report(drive: Drive): FlushReport {
    return drive.report ?? flushReport(this.#core, drive.flush, false);
  }

  /** Begins the attempts that can begin now, and returns when to look again. */
  async #handOut(drive: Drive): Promise<number> {
    for (;;) {
      this.#look(drive);
      for (;;) {
        const wake = firstDeadline(drive.attempts);
        const isDone = this.#report(drive).pending === 0 && !this.#core.is_restoring();
        if (drive.report !== undefined || isDone) return wake;
        if (drive.bytesLeft <= 0 || drive.batchesLeft <= 0) break;
        const polled = this.#courier.poll(drive.attempts, (answer) => {
          alone(answer);
          drive.wake();
        });
        if (typeof polled === "number") {
          this.#host.afterPoll();
          return Math.min(polled, wake);
        }
        drive.bytesLeft -= polled.body.length;
        drive.batchesLeft--;
      }
      await drive.yield();
    }
  }

  /** Shows that the drive's request is alive, and looks after those whose request is not. */
  #look(drive: Drive): void {
    if (this.#stopped) return;
    const now = elapsed();
    drive.sign.dueAt = now;
    if (now - this.#searchedAt >= TICK_MS) {
      this.#searchedAt = now;
      for (const other of this.#drives) {
        if (other.sign.isGone(now)) this.#bury(other);
      }
    }
    this.#courier.cutOff(drive.attempts);
    this.#host.beforePoll();
    this.#host.afterPoll();
  }

  /** Ends the flush of a drive whose request has ended, and lets others send what it was sending. */
  #bury(drive: Drive): void {
    this.#drives.delete(drive);
    if (this.#leader === drive) this.#leader = undefined;
    // Should the request be alive after all, its time is up.
    drive.report = flushReport(this.#core, drive.flush, true);
    this.#core.end_flush(drive.flush);
    const leases = [...drive.attempts.keys()];
    drive.attempts.clear();
    this.#courier.expire(leases);
  }

  /** Stays with the attempts that a flush leaves behind: nobody may take them for lost. */
  async #linger(drive: Drive): Promise<void> {
    drive.release();
    while (drive.attempts.size > 0) {
      alone(() => this.#look(drive));
      const tick = elapsed() + TICK_MS;
      await drive.sleepUntil(Math.min(tick, firstDeadline(drive.attempts)));
    }
    this.#drives.delete(drive);
  }

  async ready(): Promise<void> {
    while (!this.#core.is_ready()) {
      await pause(TICK_MS);
      if (this.#stopped) throw new ClosedError();
      this.#host.beforePoll();
    }
  }

  async settled(): Promise<void> {
    const running = () => {
      const alive = [...this.#drives].filter((drive) => !drive.sign.isGone(elapsed()));
      return alive.flatMap(({ attempts }) => [...attempts.keys()]);
    };
    const awaited = new Set(running());
    while (running().some((lease) => awaited.has(lease))) await pause(TICK_MS);
  }

  conclude(): void {
    this.#courier.conclude([...this.#drives].map(({ attempts }) => attempts));
  }

  stop(): void {
    this.#stopped = true;
    this.#courier.stop([...this.#drives].map(({ attempts }) => attempts));
    this.#host.afterPoll();
    for (const drive of this.#drives) {
      drive.report ??= flushReport(this.#core, drive.flush, false);
    }
    this.#drives.clear();
  }
}

import { CoreBatch } from "../batch.js";
import type { CoreBus } from "../core/core-bus.js";
import { decodeBatchHeader, decodeHeader, runIdOf } from "../core/layout.js";
import { row, withRoom } from "../core/module.js";
import { DeliveryError } from "../errors/delivery-error.js";
import { TimeoutError } from "../errors/timeout-error.js";
import {
  ABANDON_REASONS,
  type AbandonReason,
  Outcome,
  readAbandoned,
  readLease,
  readWait,
  Step,
} from "../generated/layout.js";
import { Failures } from "../observability/failures.js";
import type { DeliveryCallback } from "../options.js";
import type { BatchCopy, Outbox } from "../outbox/outbox.js";
import { elapsed } from "../util/clock.js";
import { AttemptContext, LazyAbort } from "./attempt-context.js";
import type { KeepaliveBudget } from "./keepalive-budget.js";
import { makeNonce } from "./nonce.js";
import { type Run, runsOf, toVerdict } from "./outcomes.js";
import type { Leeway } from "./scheduler.js";

/** An attempt whose callback has not settled. */
interface Attempt {
  readonly batch: CoreBatch<unknown>;
  /** 1 for the batch's first. */
  readonly number: number;
  readonly deadline: number;
  readonly lazyAbort: LazyAbort;
  /** Returns the attempt's share of the page's budget, if it has one. */
  readonly giveBack: (() => void) | undefined;
  /**
   * The outcome to report to the core once the store has done its part, which may take its time.
   */
  answer?: (() => void) | undefined;
  /** Settles, without a value, when the callback has. */
  readonly done: Promise<void>;
}

/** For a host that polls alone, whatever flushes there are. */
const NO_FLUSH = -1;

/** The attempts that somebody has begun, by their leases. */
export type Attempts = Map<number, Attempt>;

/** The dispatcher's view of its bus. */
export interface DispatcherHost<T> {
  readonly callback: DeliveryCallback<T>;
  readonly timeoutMs: number;
  /** Keeps copies of the batches, if there is a store. */
  readonly outbox: Outbox | undefined;
  /** The budget of requests that outlive the page; `undefined` without a page. */
  readonly keepalive: KeepaliveBudget | undefined;
  /** Which events go first when the page is left and not all can. */
  readonly exitOrder: "oldest" | "newest";
  /** A batch was given up. */
  onAbandoned(reason: AbandonReason, batch: CoreBatch<T>, attempts: number, error: unknown): void;
  /** The receiver has this many of a batch's events. */
  onDelivered(batch: CoreBatch<T>, attempt: number, count: number): void;
}

/**
 * Performs the core's actions: calls the callback, and passes its result to the core when it
 * settles. The callback runs outside any call into the core, so it may use the bus freely. A
 * scheduler decides when to poll the core.
 */
export class Dispatcher<T> {
  readonly #core: CoreBus;
  readonly #host: DispatcherHost<T>;
  /** Why attempts failed. */
  readonly failures = new Failures();
  #leeway: Leeway | undefined;
  /** The nonce, once the core has it. */
  #runId: string | undefined;

  constructor(core: CoreBus, host: DispatcherHost<T>) {
    this.#core = core;
    this.#host = host;
  }

  /**
   * Polls the core, and performs its action. Returns the time of the next poll (on the clock of
   * `elapsed()`; infinite for never), or the action.
   *
   * @param attempts gets the started attempts. The answer of an attempt that was taken out is
   * ignored.
   * @param settle called when the callback has settled, with the function that tells the core.
   * @param flush the flush whose owner polls, if there is one.
   * @param onLost gets the flush of an owner that fell silent.
   */
  poll(
    attempts: Attempts,
    settle: (answer: () => void) => void,
    flush = NO_FLUSH,
    onLost?: (flush: number) => void,
  ): number | "begun" | "yield" {
    this.seed();
    this.#leeway = undefined;
    for (;;) {
      const step = this.#core.poll(flush, Date.now(), elapsed());
      if (step === Step.Send) {
        this.#send(attempts, settle, false);
        return "begun";
      }
      if (step === Step.Yield) return "yield";
      if (step === Step.WaitUntil) {
        const { wakeMs, events, bytes } = readWait();
        this.#leeway = { events, bytes };
        return wakeMs;
      }
      if (step === Step.Idle) return Number.POSITIVE_INFINITY;
      if (step === Step.Lost) onLost?.(row(1)[0] as number);
      else if (step === Step.Store) this.#store();
      else if (step === Step.Load) this.#load(settle);
      else this.#reportAbandonedBatch();
    }
  }

  /**
   * Starts attempts for the events in the core, as long as their requests can outlive the page:
   * regardless of batches in flight and of pauses. If there is a store, it gets all unsettled
   * batches.
   */
  sendBeforeUnload(attempts: Attempts, settle: (answer: () => void) => void): void {
    this.seed();
    const sent: CoreBatch<T>[] = [];
    while (this.#pollUnload()) sent.push(this.#send(attempts, settle, true));
    this.#host.outbox?.writeAllLater(sent);
  }

  /** Has the store take the batch that waits for its turn to be sent. */
  #store(): void {
    const copy = this.#host.outbox?.copy(decodeBatchHeader(this.#core));
    this.#core.forget();
    if (copy !== undefined) this.#host.outbox?.writeLater(copy);
  }

  /** Has the store read the batch whose turn has come. */
  #load(settle: (answer: () => void) => void): void {
    this.#host.outbox?.loadLater(decodeHeader(), () => settle(() => {}));
  }

  /** Asks the core for a batch that can outlive the page. Returns whether there is one. */
  #pollUnload(): boolean {
    const { keepalive, exitOrder } = this.#host;
    const room = keepalive?.room() ?? 0;
    if (room === 0) return false;
    const isNewest = exitOrder === "newest";
    return this.#core.pollExit(Date.now(), elapsed(), room, isNewest) === Step.Send;
  }

  /** Gives the core its nonce, before its first batch. */
  seed(): void {
    if (this.#runId !== undefined) return;
    const { 0: high = 0, 1: low = 0 } = makeNonce();
    // As the core does it: none is 0.
    this.#runId = runIdOf(high, high === 0 && low === 0 ? 1 : low);
    this.#core.seed(high, low);
  }

  /** The leeway until the next poll; nothing, if the last one found none. */
  get leeway(): Leeway | undefined {
    return this.#leeway;
  }

  get runId(): string | undefined {
    return this.#runId;
  }

  #send(
    attempts: Attempts,
    settle: (answer: () => void) => void,
    isUnloading: boolean,
  ): CoreBatch<T> {
    const { lease, attempt, deadlineMs: deadline } = readLease();
    const { copy, batch } = withRoom(() => {
      const head = decodeBatchHeader(this.#core);
      // The store is not waited for when the page goes: `sendBeforeUnload` sees to it.
      const copy = isUnloading ? undefined : this.#host.outbox?.copy(head);
      return { copy, batch: this.#takeBatch(head) };
    });
    const lazyAbort = new LazyAbort();
    // An earlier attempt may have failed because other requests had used up the browser's quota,
    // which is reported as a network error.
    const mayOutlive = isUnloading || attempt === 1;
    const giveBack = mayOutlive ? this.#host.keepalive?.take(batch.body.length) : undefined;
    const context = new AttemptContext(lazyAbort, attempt, giveBack !== undefined);
    const deliver = async () => {
      let answer: () => void;
      try {
        const runs = runsOf(await this.#call(copy, batch, context), batch.count);
        answer = runs
          ? () => this.#settle(lease, batch, attempt, runs, 0)
          : () => this.#acknowledge(lease, batch, attempt);
        // Once the attempt was cut off, the batch is another one's.
        const current = attempts.get(lease);
        if (runs === undefined && current !== undefined) {
          current.answer = answer;
          await this.#host.outbox?.settle(batch);
        }
      } catch (error) {
        answer = () => this.#fail(lease, batch, attempt, error);
      }
      giveBack?.();
      if (attempts.delete(lease)) settle(answer);
    };
    const done = deliver();
    attempts.set(lease, { batch, number: attempt, deadline, lazyAbort, giveBack, done });
    return batch;
  }

  /** Async, so that a callback that throws is one that rejects. */
  async #call(
    copy: BatchCopy | undefined,
    ...args: Parameters<DeliveryCallback<T>>
  ): Promise<unknown> {
    if (copy !== undefined) await this.#host.outbox?.write(copy);
    return this.#host.callback(...args);
  }

  #acknowledge(lease: number, batch: CoreBatch<T>, attempt: number): void {
    if (!this.#core.acknowledge(lease, elapsed())) return;
    this.failures.noteDelivered(batch.id);
    this.#host.onDelivered(batch, attempt, batch.count);
    this.#reportAbandoned();
  }

  /** Tells the core the outcomes of single events. */
  #settle(
    lease: number,
    batch: CoreBatch<T>,
    attempt: number,
    runs: readonly Run[],
    retryAfterMs: number,
  ): void {
    const outcomes = Float64Array.from(runs.flatMap(({ count, outcome }) => [count, outcome]));
    if (!this.#core.settle(lease, outcomes, retryAfterMs, elapsed())) return;
    let delivered = 0;
    for (const { start, count, outcome, error } of runs) {
      const id = batch.eventId(start);
      if (outcome === Outcome.Permanent) this.failures.noteRejected(id, attempt, error);
      if (outcome !== Outcome.Delivered) continue;
      delivered += count;
      this.#host.outbox?.settle({ id, sequence: batch.sequence + start, count });
    }
    const again = runs.filter(({ outcome }) => outcome === Outcome.Refused);
    const count = again.reduce((sum, run) => sum + run.count, 0);
    if (delivered > 0) this.failures.noteDelivered(batch.id);
    if (count > 0) {
      const sentence = `The receiver did not take ${count} of ${batch.count} events this time`;
      this.failures.note(batch.id, attempt, new DeliveryError(sentence));
    }
    if (delivered > 0) this.#host.onDelivered(batch, attempt, delivered);
    this.#reportAbandoned();
  }

  #fail(lease: number, batch: CoreBatch<unknown>, attempt: number, thrown: unknown): void {
    const { error, kind, retryAfterMs, runs } = toVerdict(thrown, batch.count);
    if (runs !== undefined) {
      this.#settle(lease, batch as CoreBatch<T>, attempt, runs, retryAfterMs);
      return;
    }
    this.failures.note(batch.id, attempt, error);
    this.#core.fail(lease, kind, retryAfterMs, elapsed());
    this.#reportAbandoned();
  }

  /** Cuts off those attempts that have taken too long. */
  cutOff(attempts: Attempts): void {
    const now = elapsed();
    for (const [lease, attempt] of attempts) {
      const { batch, number, deadline, lazyAbort, giveBack, answer } = attempt;
      if (deadline > now) continue;
      if (answer !== undefined) {
        // The receiver was in time.
        attempts.delete(lease);
        answer();
        continue;
      }
      const reason = new TimeoutError(
        `The attempt took longer than ${this.#host.timeoutMs} ms (\`timeoutMs\`)`,
      );
      attempts.delete(lease);
      this.#fail(lease, batch, number, reason);
      lazyAbort.abort(reason);
      giveBack?.();
    }
  }

  /** Tells the core of the attempts that have succeeded, without waiting for the store. */
  conclude(begun: readonly Attempts[]): void {
    for (const attempts of begun) {
      for (const [lease, { answer, giveBack }] of attempts) {
        if (answer === undefined) continue;
        attempts.delete(lease);
        answer();
        giveBack?.();
      }
    }
  }

  /** Reports abandoned batches now: the next poll may be far away. */
  #reportAbandoned(): void {
    while (this.#core.nextAbandoned() === Step.Abandoned) this.#reportAbandonedBatch();
  }

  #reportAbandonedBatch(): void {
    const { reason, attempts } = readAbandoned();
    const batch = this.#takeBatch();
    this.#host.outbox?.settle(batch);
    const error = this.failures.take(batch.id);
    this.#host.onAbandoned(ABANDON_REASONS[reason] ?? "retries", batch, attempts, error);
  }

  #takeBatch(head = decodeBatchHeader(this.#core)): CoreBatch<T> {
    const batch = new CoreBatch<T>(this.#core, head);
    this.#core.forget();
    return batch;
  }

  /** Takes batches out of the core for good, as long as their bodies have at most `maxBytes`. */
  drain(maxBytes: number): CoreBatch<T>[] {
    this.seed();
    const batches: CoreBatch<T>[] = [];
    let room = maxBytes;
    while (this.#core.drain(Math.min(room, 2 ** 32 - 1))) {
      const batch = this.#takeBatch();
      batches.push(batch);
      this.#host.outbox?.settle(batch);
      room -= batch.body.length;
    }
    return batches;
  }

  /** Gives up all events in the core, and cuts off the attempts. */
  stop(begun: readonly Attempts[]): void {
    const running = begun.flatMap((attempts) => [...attempts.values()]);
    for (const attempts of begun) attempts.clear();
    this.#core.abandonEverything();
    this.#reportAbandoned();
    const reason = new TimeoutError("The bus was closed before the attempt ended");
    for (const { lazyAbort, giveBack } of running) {
      lazyAbort.abort(reason);
      giveBack?.();
    }
  }
}

/** The earliest deadline of the attempts; infinite if there is none. */
export function firstDeadline(attempts: Attempts): number {
  let first = Number.POSITIVE_INFINITY;
  for (const { deadline } of attempts.values()) first = Math.min(first, deadline);
  return first;
}

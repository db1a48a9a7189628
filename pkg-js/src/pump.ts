import { CoreBatch } from "./batch.js";
import { DeliveryError } from "./errors/delivery-error.js";
import { isShardbusError } from "./errors/shardbus-error.js";
import { TimeoutError } from "./errors/timeout-error.js";
import { Alarm, yieldToLoop } from "./event-loop.js";
import type { DeliveryCallback } from "./options.js";
import { type CoreBus, FailureKind, Step } from "./wasm.js";

/**
 * What may be handed out before others get their turn: bytes of bodies, and batches. Copying that
 * much takes a fraction of a millisecond; with less, a producer that yields after every thousand
 * small events would outrun the bus.
 */
const MAX_BYTES_PER_TASK = 256 << 10;
const MAX_BATCHES_PER_TASK = 8;

/** An attempt whose callback has not settled. */
interface Attempt {
  readonly deadline: number;
  readonly controller: AbortController;
  /** Settles, without a value, when the callback has. */
  readonly done: Promise<void>;
}

/** What the pump needs of the bus that it works for. */
export interface PumpHost<T> {
  readonly callback: DeliveryCallback<T>;
  readonly format: "ndjson" | "json";
  readonly timeoutMs: number;
  /** Called before the core is asked what to do. */
  beforePoll(): void;
  /** Called after the core has said that there is nothing to do now. */
  afterPoll(): void;
  /** A batch was given up. */
  onAbandoned(reason: "retries" | "permanent" | "shutdown", batch: CoreBatch<T>): void;
  /** Something failed that nobody called for. */
  onFailure(error: unknown): void;
}

/**
 * Does what the core says: calls the callback, tells the core what came of it, and wakes up when
 * the core wants to be asked again. The callback runs outside of any call into the core, so it may
 * use the bus freely.
 */
export class Pump<T> {
  readonly #core: CoreBus;
  readonly #host: PumpHost<T>;
  readonly #attempts = new Map<number, Attempt>();
  readonly #alarm = new Alarm(() => this.#runTask());
  #seeded = false;
  #scheduled = false;
  /** What may still be handed out in this task. */
  #bytesLeft = MAX_BYTES_PER_TASK;
  #batchesLeft = MAX_BATCHES_PER_TASK;
  #stopped = false;

  constructor(core: CoreBus, host: PumpHost<T>) {
    this.#core = core;
    this.#host = host;
  }

  /** Runs at the end of this turn. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#runScheduled);
  }

  /** Runs again: at the end of this turn or, if enough was handed out, once others had theirs. */
  #scheduleNext(): void {
    if (this.#bytesLeft > 0 && this.#batchesLeft > 0) {
      this.schedule();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    yieldToLoop(() => {
      this.#scheduled = false;
      this.#runTask();
    });
  }

  #runTask(): void {
    this.#bytesLeft = MAX_BYTES_PER_TASK;
    this.#batchesLeft = MAX_BATCHES_PER_TASK;
    this.#alone(() => this.run());
  }

  readonly #runScheduled = (): void => {
    this.#scheduled = false;
    this.#alone(() => this.run());
  };

  /** Runs a task that has no caller who could catch what it throws. */
  #alone(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#host.onFailure(error);
    }
  }

  /**
   * Asks the core what to do, and does it. At most one batch is handed out: what is handed out next
   * may have to wait until others had their turn.
   */
  run(): void {
    if (this.#stopped) return;
    this.#cutOffAttempts();
    this.#host.beforePoll();
    this.#seed();
    for (;;) {
      const step = this.#core.poll(Date.now(), performance.now());
      if (step === Step.Abandoned) {
        this.#handOutAbandoned();
        continue;
      }
      if (step === Step.Send) {
        this.#send();
        this.#scheduleNext();
      } else {
        const wake = step === Step.WaitUntil ? this.#core.wake_at() : Number.POSITIVE_INFINITY;
        this.#alarm.setFor(Math.min(wake, this.#nextDeadline()));
      }
      break;
    }
    this.#host.afterPoll();
  }

  /** Randomness is not to be had at a Worker's global scope, where buses are made. */
  #seed(): void {
    if (this.#seeded) return;
    this.#seeded = true;
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    this.#core.seed(high as number, low as number);
  }

  #send(): void {
    const lease = this.#core.lease_id();
    const attempt = this.#core.lease_attempt();
    const deadline = this.#core.lease_deadline();
    const batch = new CoreBatch<T>(this.#core, this.#host.format);
    this.#core.forget();
    this.#bytesLeft -= batch.body.length;
    this.#batchesLeft--;
    const controller = new AbortController();
    const { signal } = controller;
    const done = this.#call(batch, { signal, attempt, keepalive: false }).then(
      () => this.#settle(lease, () => this.#core.acknowledge(lease, performance.now())),
      (error) => this.#settle(lease, () => this.#fail(lease, error)),
    );
    this.#attempts.set(lease, { deadline, controller, done });
  }

  /** Async, so that a callback that throws is one that rejects. */
  async #call(...args: Parameters<DeliveryCallback<T>>): Promise<void> {
    await this.#host.callback(...args);
  }

  /** Passes on an answer, unless the attempt was cut off before it came. */
  #settle(lease: number, answer: () => void): void {
    if (!this.#attempts.delete(lease)) return;
    this.#alone(answer);
    this.#scheduleNext();
  }

  #fail(lease: number, error: unknown): void {
    const told = isShardbusError(error) && error.code === "ERR_DELIVERY";
    const { tooLarge, retryable, retryAfterMs } = told
      ? (error as DeliveryError)
      : new DeliveryError("");
    const kind = retryable ? FailureKind.Retryable : FailureKind.Permanent;
    const now = performance.now();
    this.#core.fail(lease, tooLarge ? FailureKind.TooLarge : kind, retryAfterMs, now);
  }

  #cutOffAttempts(): void {
    const now = performance.now();
    for (const [lease, { deadline, controller }] of this.#attempts) {
      if (deadline > now) continue;
      const reason = new TimeoutError(
        `The attempt took longer than ${this.#host.timeoutMs} ms (\`timeoutMs\`)`,
      );
      this.#attempts.delete(lease);
      this.#fail(lease, reason);
      controller.abort(reason);
    }
  }

  #nextDeadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { deadline } of this.#attempts.values()) next = Math.min(next, deadline);
    return next;
  }

  #handOutAbandoned(): void {
    const reason = this.#core.abandon_reason() as "retries" | "permanent" | "shutdown";
    const batch = new CoreBatch<T>(this.#core, this.#host.format);
    this.#core.forget();
    this.#host.onAbandoned(reason, batch);
  }

  /** Takes batches out of the core for good, as long as their bodies have at most `maxBytes`. */
  drain(maxBytes: number): CoreBatch<T>[] {
    this.#host.beforePoll();
    this.#seed();
    const batches: CoreBatch<T>[] = [];
    let room = maxBytes;
    while (this.#core.drain(Math.min(room, 2 ** 32 - 1))) {
      const batch = new CoreBatch<T>(this.#core, this.#host.format);
      this.#core.forget();
      batches.push(batch);
      room -= batch.body.length;
    }
    this.#host.afterPoll();
    return batches;
  }

  /** Whether somebody waits for what the pump does: only then does it keep the process alive. */
  setAwaited(awaited: boolean): void {
    this.#alarm.setAwaited(awaited);
  }

  /** Resolves when all callbacks that run now have settled. */
  async settled(): Promise<void> {
    await Promise.all([...this.#attempts.values()].map(({ done }) => done));
  }

  /** Cuts off every attempt, gives up what is left, and does nothing ever after. */
  stop(): void {
    const attempts = [...this.#attempts.values()];
    this.#attempts.clear();
    this.#core.abandon_everything();
    this.run();
    this.#stopped = true;
    this.#alarm.clear();
    const reason = new TimeoutError("The bus was closed before the attempt ended");
    for (const { controller } of attempts) controller.abort(reason);
  }
}

// What runtimes disagree on about timers and tasks.

interface Timer {
  ref?(): void;
  unref?(): void;
}

declare const setImmediate: ((task: () => void) => unknown) | undefined;

/** The longest delay that `setTimeout` understands; longer ones fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/** Calls `task` as a task of its own, so that others get their turn first. */
export const yieldToLoop: (task: () => void) => void =
  typeof setImmediate === "function" ? (task) => setImmediate(task) : (task) => setTimeout(task, 0);

/** Calls `task` as a microtask. A promise costs less than `queueMicrotask`, where that has hooks. */
export function atTurnsEnd(task: () => void): void {
  void Promise.resolve().then(task);
}

/** Calls `task` once what is running now has ended. Unlike timers, this is not throttled. */
export function afterTask(task: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    task();
  };
  port2.postMessage(undefined);
}

/**
 * One timer that can be set anew, and that keeps the process alive only if told to.
 *
 * To be set for later costs nothing: the timer fires when it was to fire first, and is started again
 * for what is left.
 */
export class Alarm {
  readonly #task: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the task is due. */
  #time = Number.POSITIVE_INFINITY;
  /** When the timer fires: not later. */
  #firesAt = Number.POSITIVE_INFINITY;
  #awaited = false;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Calls the task at `time`, on the clock of `performance.now()`; never, if it is infinite. */
  setFor(time: number): void {
    if (time === this.#time) return;
    const wasSet = this.#isSet();
    this.#time = time;
    if (time < this.#firesAt) this.#start(performance.now());
    else if (this.#isSet() !== wasSet) this.#hold();
  }

  #isSet(): boolean {
    return this.#time !== Number.POSITIVE_INFINITY;
  }

  #start(now: number): void {
    clearTimeout(this.#timer);
    this.#firesAt = this.#time;
    // Whole milliseconds, rounded up: a timer that fires early would find nothing to do.
    const delay = Math.min(Math.max(Math.ceil(this.#time - now), 0), MAX_DELAY_MS);
    this.#timer = setTimeout(this.#fire, delay);
    this.#hold();
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    if (now < this.#time) {
      if (this.#isSet()) this.#start(now);
      return;
    }
    this.#time = Number.POSITIVE_INFINITY;
    this.#task();
  };

  /** Whether somebody waits for what the task does: only then does it keep the process alive. */
  setAwaited(awaited: boolean): void {
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    this.#hold();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#time = Number.POSITIVE_INFINITY;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #hold(): void {
    const timer = this.#timer as Timer | number | undefined;
    if (typeof timer === "object") {
      if (this.#awaited && this.#isSet()) timer.ref?.();
      else timer.unref?.();
    } else if (!this.#isSet()) {
      // It is a number, and may keep a process alive all the same.
      this.clear();
    }
  }
}

/** Resolves after `ms` milliseconds. */
export async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });
}

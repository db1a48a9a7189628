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

/** Calls `task` once what is running now has ended. Unlike timers, this is not throttled. */
export function afterTask(task: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    task();
  };
  port2.postMessage(undefined);
}

/** One timer that can be set anew, and that keeps the process alive only if told to. */
export class Alarm {
  readonly #task: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #time = Number.POSITIVE_INFINITY;
  #awaited = false;

  constructor(task: () => void) {
    this.#task = task;
  }

  /** Calls the task at `time`, on the clock of `performance.now()`; never, if it is infinite. */
  setFor(time: number): void {
    if (time === this.#time) return;
    this.clear();
    if (time === Number.POSITIVE_INFINITY) return;
    this.#time = time;
    // Whole milliseconds, rounded up: a timer that fires early would find nothing to do.
    const delay = Math.min(Math.max(Math.ceil(time - performance.now()), 0), MAX_DELAY_MS);
    this.#timer = setTimeout(() => {
      this.#time = Number.POSITIVE_INFINITY;
      this.#timer = undefined;
      this.#task();
    }, delay);
    this.#hold();
  }

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
  }

  #hold(): void {
    // Browsers and workerd number their timers; there is no process to keep alive.
    const timer = this.#timer as Timer | number | undefined;
    if (typeof timer !== "object") return;
    if (this.#awaited) timer.ref?.();
    else timer.unref?.();
  }
}

/** Resolves after `ms` milliseconds. */
export async function pause(ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, ms);
  });
}

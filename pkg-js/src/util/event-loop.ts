// Timers and tasks, on which runtimes and the fake clocks of tests disagree.

import { elapsed, reach } from "./clock.js";
import { nodeBuiltin } from "./node-builtin.js";

interface Timer {
  ref?(): void;
  unref?(): void;
}

type Task = () => void;

/** Not every runtime has all of them. */
interface Timers {
  readonly setTimeout?: (task: Task, ms: number) => unknown;
  readonly setImmediate?: (task: Task) => unknown;
}

/** The longest delay that `setTimeout` understands; longer ones fire at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * A function of the runtime's own, taken when this is loaded, as a clock that is faked later stops
 * the global one. One that is faked already has the mark of `@sinonjs/fake-timers`.
 */
function own<Name extends keyof Timers>(name: Name): Timers[Name] | undefined {
  const global = (globalThis as Timers)[name];
  const isFake = typeof global === "function" && "clock" in global;
  return isFake ? nodeBuiltin<Timers>("node:timers")?.[name] : global;
}

const ownSetTimeout = /* @__PURE__ */ own("setTimeout");
const ownSetImmediate = /* @__PURE__ */ own("setImmediate");

/** Calls `task` as a task of its own, so that others get their turn first. Time is not waited for. */
export function runInNewTask(task: Task): void {
  if (ownSetImmediate !== undefined) ownSetImmediate(task);
  else (ownSetTimeout ?? setTimeout)(task, 0);
}

/** Turns that an answer may take from its socket to its promise. */
const ANSWER_TURNS = 5;

/** Calls `task` once the answers that have arrived are read. */
export function afterAnswers(task: Task, turns = ANSWER_TURNS): void {
  runInNewTask(() => (turns > 1 ? afterAnswers(task, turns - 1) : task()));
}

/** Calls `task` as a microtask. A promise costs less than `queueMicrotask`, where that has hooks. */
export function runInMicrotask(task: Task): void {
  void Promise.resolve().then(task);
}

/** Calls `task` once the current task has ended. Unlike timers, this is not throttled. */
export function runAfterCurrentTask(task: Task): void {
  // jsdom has none.
  if (typeof MessageChannel !== "function") {
    runInNewTask(task);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    task();
  };
  port2.postMessage(undefined);
}

/**
 * Calls `task` after `ms` milliseconds, unless it is cancelled: by the same clock, as a fake one does
 * not know the timers of others.
 */
export function after(ms: number, task: Task): { readonly timer: unknown; cancel(): void } {
  const clear = clearTimeout;
  let isCancelled = false;
  const timer: unknown = setTimeout(() => {
    if (!isCancelled) task();
  }, ms);
  const cancel = () => {
    isCancelled = true;
    // One of `node:test`'s that it has dropped would take another one along.
    if (typeof timer === "object" && timer !== null && "priorityQueuePosition" in timer) return;
    try {
      clear(timer as number);
    } catch {
      // Deno's `FakeTime` throws once it is over. Its timers are gone then.
    }
  };
  return { timer, cancel };
}

/**
 * One timer that can be set anew, and that keeps the process alive only if told to.
 *
 * A later time costs nothing: the timer fires at its first time, and is started again for the rest.
 * That is for the runtime's own timers. Those of a fake clock may be gone without having fired, so
 * they are always set anew.
 */
export class DeadlineTimer {
  readonly #task: Task;
  #running: ReturnType<typeof after> | undefined;
  /** The `setTimeout` that set the timer. */
  #setter: unknown;
  /** The time at which the task is due. */
  #time = Number.POSITIVE_INFINITY;
  /** The time at which the timer fires: not later. */
  #firesAt = Number.POSITIVE_INFINITY;
  #awaited = false;

  constructor(task: Task) {
    this.#task = task;
  }

  /** Calls the task at `time`, on the clock of `elapsed()`; never, if it is infinite. */
  schedule(time: number): void {
    if (!this.#isSure()) this.#stop();
    else if (time === this.#time) return;
    const wasSet = this.#isSet();
    this.#time = time;
    if (time < this.#firesAt) this.#start();
    else if (this.#isSet() !== wasSet) this.#hold();
  }

  #isSet(): boolean {
    return this.#time !== Number.POSITIVE_INFINITY;
  }

  /** Tells whether the timer, if there is one, is sure to fire. */
  #isSure(): boolean {
    if (this.#running === undefined) return true;
    return this.#setter === ownSetTimeout && setTimeout === ownSetTimeout;
  }

  /** Tells whether one of the runtime's own timers is running. */
  isRunning(): boolean {
    return this.#running !== undefined && this.#isSure();
  }

  #start(): void {
    this.#stop();
    const time = elapsed();
    // Whole milliseconds, rounded up: a timer that fires early would find nothing to do.
    const delay = Math.min(Math.max(Math.ceil(this.#time - time), 0), MAX_DELAY_MS);
    this.#firesAt = Math.min(this.#time, time + delay);
    this.#setter = setTimeout;
    this.#running = after(delay, this.#fire);
    this.#hold();
  }

  #stop(): void {
    this.#running?.cancel();
    this.#running = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  readonly #fire = (): void => {
    reach(this.#firesAt);
    this.#running = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    if (elapsed() < this.#time) {
      if (this.#isSet()) this.#start();
      return;
    }
    this.#time = Number.POSITIVE_INFINITY;
    this.#task();
  };

  /**
   * Tells whether somebody waits for the task's result: only then does it keep the process alive.
   */
  setRef(awaited: boolean): void {
    if (awaited === this.#awaited) return;
    this.#awaited = awaited;
    this.#hold();
  }

  clear(): void {
    this.#stop();
    this.#time = Number.POSITIVE_INFINITY;
  }

  #hold(): void {
    const timer = this.#running?.timer as Timer | number | undefined;
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

// @ts-check
// A clock that tests move by hand: a second on it takes no time at all.
import { idle } from "./harness.mjs";

/** One timer that is set. */
class Timer {
  /** True if it keeps a process alive. */
  isRef = true;

  /**
   * @param {number} at
   * @param {() => void} task
   */
  constructor(at, task) {
    this.at = at;
    this.task = task;
  }

  ref() {
    this.isRef = true;
    return this;
  }

  unref() {
    this.isRef = false;
    return this;
  }
}

/** Stands in for `performance.now`, `setTimeout` and `clearTimeout` until it is restored. */
export class Clock {
  /** @type {Timer[]} */
  timers = [];
  /** The delay of every timer that was ever set. @type {number[]} */
  delays = [];
  // Whole, so that sums of it are exact.
  #now = Math.ceil(performance.now());
  #real = {
    performance: { now: performance.now.bind(performance) },
    global: { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout },
  };

  constructor() {
    performance.now = () => this.#now;
    Object.assign(globalThis, {
      setTimeout: (/** @type {() => void} */ task, delay = 0) => {
        const timer = new Timer(this.#now + delay, task);
        this.delays.push(delay);
        this.timers.push(timer);
        return timer;
      },
      clearTimeout: (/** @type {Timer | undefined} */ timer) => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    });
  }

  /** Moves on, timer by timer, and lets the tasks run that each of them makes ready. @param {number} ms */
  async advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.timers.toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.task();
      await idle();
    }
    this.#now = end;
    await idle();
  }

  /**
   * Jumps ahead, as when the host was suspended: timers that were due meanwhile are late.
   * @param {number} ms
   */
  async jump(ms) {
    this.#now += ms;
    await this.advance(0);
  }

  restore() {
    Object.assign(performance, this.#real.performance);
    Object.assign(globalThis, this.#real.global);
  }
}

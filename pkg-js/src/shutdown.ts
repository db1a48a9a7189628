import { constants } from "node:os";
import process from "node:process";
import { isMainThread } from "node:worker_threads";
import { InvalidOptionError, own } from "./internal.js";

/** A bus to close before the process ends: an `EventBus`. */
export interface Closable {
  close(options?: { readonly timeoutMs?: number }): Promise<unknown>;
}

/** A signal that asks a process to end. */
export type ShutdownSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT" | "SIGBREAK";

/** Options of {@linkcode installShutdownHooks}. */
export interface ShutdownOptions {
  /**
   * The time that all buses together may take to close, in milliseconds: four fifths to send, the
   * rest to write to a store. Keep it below the time after which the sender of the signal sends
   * `SIGKILL`: 10 s with `docker stop`, 30 s in Kubernetes, 1.6 s with pm2 (its `kill_timeout`), 90
   * s with systemd.
   * @default 5000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * The signals to act on.
   * @default ["SIGTERM", "SIGINT"]
   */
  readonly signals?: readonly ShutdownSignal[] | undefined;
  /**
   * Ends servers and the like before the buses are closed, because they still offer events: `() =>
   * app.close()`. A promise is awaited, for half of `timeoutMs` at most. An
   * `http.Server` has one for `() => server[Symbol.asyncDispose]()`; its `close()` returns none.
   */
  readonly before?: (() => unknown) | undefined;
}

/**
 * Closes buses when the process is asked to end by a signal, or has nothing left to do
 * (`beforeExit`). Works in Node, Deno and Bun. Returns a function that takes the hooks away.
 *
 * After a signal the process then ends as it would have without the hooks:
 *
 * - By the same signal, if nobody else listens for it, so that shells, `tini`, Docker and systemd see
 *   what ended it (128 + 15 = 143 for `SIGTERM`). The first process of a container is immune to its
 *   own signals: it exits with that status instead.
 * - If the program has listeners of its own, the end is theirs: await `bus.close()` in them, and the
 *   hooks have nothing more to do. Unless there is a `before`, they wait for half of `timeoutMs` until
 *   they close the buses themselves. One that calls `process.exit()` cuts the closing short.
 * - A second signal ends it at once. One that comes within 300 ms of the first is taken for the same:
 *   Ctrl-C reaches a program under `npm run` twice, from the terminal and from npm.
 *
 * Events that cannot be sent in time are lost, and counted under `abandoned.shutdown`, unless the
 * bus has a `store`: then the next start sends them. Nothing closes a bus on `process.exit()` or an
 * uncaught exception, because there is no time to wait: call `bus.saveSync()` in
 * `process.on("exit")`, or without a store `bus.drain()`.
 *
 * @example
 * ```ts
 * installShutdownHooks(bus, { timeoutMs: 3000, before: () => app.close() });
 * ```
 * @throws {InvalidOptionError} if there is something that has no `close` method, or an option has a
 * wrong name, type or value; and in a worker thread, which hears of no signal.
 */
export function installShutdownHooks(
  buses: Closable | Iterable<Closable>,
  options: ShutdownOptions = {},
): () => void {
  const checked = checkOptions(options);
  const list = checkBuses(buses);
  if (!isMainThread) {
    throw new InvalidOptionError(
      "buses",
      "Signals reach the main thread only, so hooks in a worker would do nothing: have the main thread post a message to the worker, and await `bus.close()` there",
    );
  }
  const hooks = new ShutdownHooks(list, checked);
  hooks.install();
  return () => hooks.remove();
}

/** Within this time, a second signal is the first one's echo. */
const ECHO_MS = 300;
/** The share of the time for sending. The rest is for writing to a store. */
const SENDING = 0.8;

/** Marks our listeners, also those of other copies of this module. */
const OURS = Symbol.for("shardbus.shutdown");

type Listener = (signal: NodeJS.Signals) => void;

interface Dispatcher {
  readonly tasks: Set<Listener>;
  readonly listener: () => void;
}

/** All hooks share one listener for each event: Node warns of eleven. */
const dispatchers = new Map<string, Dispatcher>();

function dispatcherOf(event: string): Dispatcher {
  const known = dispatchers.get(event);
  if (known !== undefined) return known;
  const tasks = new Set<Listener>();
  const dispatch = () => {
    for (const task of [...tasks]) task(event as NodeJS.Signals);
  };
  const made = { tasks, listener: Object.assign(dispatch, { [OURS]: true as const }) };
  dispatchers.set(event, made);
  return made;
}

function listen(event: string, task: Listener): void {
  const { tasks, listener } = dispatcherOf(event);
  tasks.add(task);
  // Before others, to see those that listen once: they are gone when they are called.
  process.off(event, listener);
  process.prependListener(event as NodeJS.Signals, listener);
}

function unlisten(event: string, task: Listener): void {
  const { tasks, listener } = dispatcherOf(event);
  tasks.delete(task);
  if (tasks.size === 0) process.off(event, listener);
}

class ShutdownHooks {
  readonly #buses: readonly Closable[];
  readonly #options: CheckedOptions;
  /** The time of the first signal, by `performance.now()`. */
  #signalled: number | undefined;
  /** The one end: `beforeExit` and a signal may both ask for it. */
  #ending: Promise<void> | undefined;

  constructor(buses: readonly Closable[], options: CheckedOptions) {
    this.#buses = buses;
    this.#options = options;
  }

  install(): void {
    for (const signal of this.#options.signals) listen(signal, this.#onSignal);
    listen("beforeExit", this.#onBeforeExit);
  }

  remove(): void {
    for (const signal of this.#options.signals) unlisten(signal, this.#onSignal);
    unlisten("beforeExit", this.#onBeforeExit);
  }

  readonly #onSignal: Listener = (signal) => {
    const isOthers = hasOthers(signal);
    const now = performance.now();
    if (this.#signalled === undefined) {
      this.#signalled = now;
      if (isOthers && this.#options.before === undefined) {
        // The program may have servers to close first. Once it is idle, `beforeExit` closes the buses.
        const half = this.#options.timeoutMs / 2;
        setTimeout(() => void this.#end(half), half).unref();
        return;
      }
      void this.#end().then(() => {
        // Other buses may not have closed yet: the last hooks end the process.
        if (!isOthers && !process.listeners(signal).some(isOurs)) end(signal);
      });
    } else if (now - this.#signalled > ECHO_MS && !isOthers) {
      for (const listener of process.listeners(signal).filter(isOurs)) {
        process.off(signal, listener as Listener);
      }
      end(signal);
    }
  };

  // The pending work here keeps the process alive.
  readonly #onBeforeExit = () => void this.#end();

  #end(timeoutMs = this.#options.timeoutMs): Promise<void> {
    this.#ending ??= within(timeoutMs, this.#close(timeoutMs)).then(() => this.remove());
    return this.#ending;
  }

  /** Closes the buses, once `before` has ended. Never rejects. */
  async #close(allMs: number): Promise<void> {
    let timeoutMs = allMs;
    const { before } = this.#options;
    if (before !== undefined) {
      const start = performance.now();
      const work = async () => {
        try {
          await before();
        } catch (error) {
          console.warn("shardbus: `before` failed at the end of the process", error);
        }
      };
      await within(timeoutMs / 2, work());
      timeoutMs -= Math.min(performance.now() - start, timeoutMs / 2);
    }
    const closing = this.#buses.map(async (bus) => {
      try {
        await bus.close({ timeoutMs: timeoutMs * SENDING });
      } catch (error) {
        console.warn("shardbus: a bus could not be closed at the end of the process", error);
      }
    });
    await Promise.all(closing);
  }
}

/** Waits for `work`, but not for longer. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

const isOurs = (listener: object): boolean => OURS in listener;

/**
 * True if the program has listeners of its own. Those of `signal-exit`, which many packages are
 * built on, do not count: they wait until no others are left, and then send the signal again.
 */
function hasOthers(signal: NodeJS.Signals): boolean {
  const others = process.listeners(signal).filter((listener) => !isOurs(listener));
  return (
    others.length >
    countOf(globalThis, Symbol.for("signal-exit emitter")) +
      countOf(process, "__signal_exit_emitter__")
  );
}

/**
 * The number of listeners that `signal-exit` has for a signal; its versions 4 and 3 keep them in
 * different places.
 */
const countOf = (place: object, key: string | symbol): number =>
  (place as { [key: string | symbol]: { count?: number } | undefined })[key]?.count ?? 0;

/** Ends the process by a signal that nobody listens for any more. */
function end(signal: NodeJS.Signals): void {
  const status = 128 + (constants.signals[signal] ?? 0);
  // The kernel does not let the first process of a container be ended by its own signals.
  if (process.pid === 1) process.exit(status);
  try {
    process.kill(process.pid, signal);
  } catch {
    // Deno takes a permission for it, `--allow-run`.
    process.exit(status);
  }
}

function checkBuses(buses: unknown): Closable[] {
  const list = isIterable(buses) ? [...buses] : [buses];
  for (const bus of list) {
    if (typeof (bus as Partial<Closable> | null | undefined)?.close === "function") continue;
    throw new InvalidOptionError(
      "buses",
      `\`buses\` has ${String(bus)}, but it must be an EventBus, or several`,
    );
  }
  return list as Closable[];
}

const isIterable = (value: unknown): value is Iterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.iterator in value;

const SIGNALS: readonly unknown[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGBREAK"];

/** Options with their defaults. */
type Settled<Options> = { readonly [Name in keyof Options]-?: NonNullable<Options[Name]> };

interface CheckedOptions extends Settled<Omit<ShutdownOptions, "before">> {
  readonly before: ShutdownOptions["before"];
}

function checkOptions(options: ShutdownOptions): CheckedOptions {
  const timeoutMs = own(options, "timeoutMs") ?? 5000;
  const signals = own(options, "signals") ?? (["SIGTERM", "SIGINT"] as const);
  const before = own(options, "before");
  const { timeoutMs: _, signals: __, before: ___, ...others } = options;
  for (const name of Object.keys(others)) {
    const rule = "is not an option; there are timeoutMs, signals, before";
    throw new InvalidOptionError(name, `\`${name}\` ${rule}`);
  }
  if (!(typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs < 2 ** 31)) {
    const rule = `must be a number of milliseconds from 0 to ${2 ** 31 - 1}`;
    throw new InvalidOptionError("timeoutMs", `\`timeoutMs\` is ${timeoutMs}, but it ${rule}`);
  }
  if (!Array.isArray(signals) || !signals.every((signal) => SIGNALS.includes(signal))) {
    const rule = `must be a list of ${SIGNALS.join(", ")}`;
    throw new InvalidOptionError("signals", `\`signals\` is ${signals}, but it ${rule}`);
  }
  if (before !== undefined && typeof before !== "function") {
    throw new InvalidOptionError(
      "before",
      "`before` must be a function, such as () => app.close()",
    );
  }
  return { timeoutMs, signals, before };
}

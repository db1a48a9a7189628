import { InvalidOptionError } from "../errors/invalid-option-error.js";
import type { EventBusOptions } from "../options.js";
import { elapsed } from "../util/clock.js";
import { pause } from "../util/event-loop.js";
import { own } from "../util/own.js";
import { ambientContext } from "./ambient-request.js";
import { HEARTBEAT_MS, Heartbeat, WATCHER_HEARTBEAT_MS } from "./liveness.js";
import type { RequestContext } from "./request-context.js";
import type { FlushOptions } from "./scheduler.js";

/** The conditions on which the events of requests leave. */
export interface WaitUntilOptions {
  /**
   * They leave once the bus was offered none for this long, in milliseconds. A handler's own calls
   * are mostly closer than the default, and waiting is cheap beside a request to a collector.
   * @default 50
   */
  readonly quietMs?: number | undefined;
  /**
   * They leave after this long at the latest, in milliseconds, however many there are and whether the
   * bus is quiet or not; at most 20000, because a Worker lives on for 30 seconds at most after its
   * response.
   * @default 500
   */
  readonly maxWaitMs?: number | undefined;
  /**
   * The number of pending events from which they leave for quiet alone.
   * @default 1
   */
  readonly minEvents?: number | undefined;
}

/** The shortest pause between two looks for quiet. */
const SHORTEST_LOOK_MS = 10;

/**
 * The number of requests that wait beside the one that makes the flush, to make it should that one
 * be killed. More would cost more than they save: a waiting request is billed, too.
 */
const MAX_WATCHERS = 2;

/**
 * The time that a request may wait for the delivery of its events: it ends before those 30 seconds
 * do.
 */
const MAX_REQUEST_MS = 25_000;

/** The flusher's view of its bus. */
interface RequestFlusherHost {
  /** The number of events that were ever offered. */
  offered(): number;
  /** The number of pending events. */
  pending(): number;
  flush(options: FlushOptions): Promise<unknown>;
  /** The user's function that keeps the present request alive; `true` for that of the runtime. */
  readonly waitUntil: EventBusOptions["waitUntil"];
}

/** The events of requests that leave by one flush. One of the requests looks after it. */
class Group {
  /** The sign of life of that request. */
  readonly heartbeat = new Heartbeat();
  /** Set once the flush has begun, which covers no later event. */
  hasBegun = false;
  isOver = false;
  /** The number of other requests that wait for it. */
  watchers = 0;
}

/** The wait of a request. */
interface RequestFlush {
  group: Group | undefined;
  /** Set if there are events that its group does not cover. */
  again: boolean;
}

/**
 * Flushes the events of requests, and keeps the requests alive meanwhile. Requests that come while
 * events are gathered share the flush: the first one makes it, and the next ones wait until it is
 * done, or the first one falls silent.
 */
export class RequestFlusher {
  readonly #host: RequestFlusherHost;
  readonly #flushing = new WeakMap<RequestContext, RequestFlush>();
  /** The group that was made last: others may join until its flush begins. */
  #gathering: Group | undefined;
  /** The time at which an event of this turn last asked for a flush. */
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(host: RequestFlusherHost) {
    this.#host = host;
  }

  /** Sends the pending events, and those that come right after, within the request. */
  request(context: RequestContext | undefined, options: WaitUntilOptions): void {
    const to = context ?? this.#context();
    if (!isContext(to)) {
      throw new InvalidOptionError(
        "ctx",
        "`waitUntil(ctx)` takes the context of a request: the third argument of a Worker's `fetch`, or any object with a `waitUntil` method, such as `{ waitUntil }` of cloudflare:workers; without one, this runtime tells of no request",
      );
    }
    const known = this.#flushing.get(to);
    if (known !== undefined) {
      if (known.group?.hasBegun) known.again = true;
    } else if ((this.#joinable()?.watchers ?? 0) < MAX_WATCHERS) {
      const flush: RequestFlush = { group: undefined, again: false };
      let settle = (_: Promise<void>) => {};
      const over = new Promise<void>((resolve) => {
        settle = resolve;
      });
      // It throws where there is no request; then nothing may have begun.
      to.waitUntil(over);
      this.#flushing.set(to, flush);
      settle(this.#flushFor(to, flush, options));
    }
  }

  /** The context of the request that runs now, where the user or the runtime tells. */
  #context(): RequestContext | undefined {
    const { waitUntil } = this.#host;
    return typeof waitUntil === "function" ? { waitUntil } : ambientContext();
  }

  /** {@linkcode request} for an event of the request that runs now. Never throws. */
  requestAmbient(): void {
    const now = elapsed();
    // One flush is enough for a turn. The microtask that marks its end may be killed with the
    // request.
    if (now < this.#askedAt + HEARTBEAT_MS) return;
    try {
      const context = this.#context();
      if (context === undefined) return;
      this.#askedAt = now;
      queueMicrotask(() => {
        this.#askedAt = Number.NEGATIVE_INFINITY;
      });
      this.request(context, {});
    } catch {
      // Outside of requests, as at a Worker's global scope: the next request sends the event.
    }
  }

  async #flushFor(
    context: RequestContext,
    flush: RequestFlush,
    options: WaitUntilOptions,
  ): Promise<void> {
    const end = elapsed() + MAX_REQUEST_MS;
    try {
      do {
        flush.again = false;
        const joined = this.#joinable();
        flush.group = joined ?? new Group();
        if (joined === undefined) {
          this.#gathering = flush.group;
          await this.#gather(flush.group, options);
        } else {
          joined.watchers++;
          await this.#follow(joined, end);
        }
        if (!flush.group.isOver) await this.#send(flush.group, end);
      } while (flush.again && elapsed() < end);
    } finally {
      this.#flushing.delete(context);
    }
  }

  #joinable(): Group | undefined {
    const group = this.#gathering;
    if (group === undefined || group.hasBegun || group.heartbeat.isExpired(elapsed())) {
      return undefined;
    }
    return group;
  }

  /** Resolves when there is enough and the bus was quiet, or when events have waited long enough. */
  async #gather(group: Group, options: WaitUntilOptions): Promise<void> {
    const quietMs = own(options, "quietMs") ?? 50;
    const maxWaitMs = own(options, "maxWaitMs") ?? 500;
    const minEvents = own(options, "minEvents") ?? 1;
    const end = elapsed() + maxWaitMs;
    let offered = this.#host.offered();
    for (let left = maxWaitMs; left > 0; left = end - elapsed()) {
      const ms = Math.min(Math.max(quietMs, SHORTEST_LOOK_MS), left);
      group.heartbeat.dueAt = elapsed() + ms;
      await pause(ms);
      const before = offered;
      offered = this.#host.offered();
      if (offered === before && (minEvents <= 1 || this.#host.pending() >= minEvents)) return;
    }
  }

  /**
   * Resolves when the group is over, or when nobody looks after it any more. Nobody awaits the
   * result, so it looks seldom: each look costs CPU time. A flush of the scheduler `"auto"` never
   * falls silent, but it ends.
   */
  async #follow(group: Group, end: number): Promise<void> {
    for (let now = elapsed(); now < end && !group.isOver; now = elapsed()) {
      if (group.heartbeat.isExpired(now)) return;
      await pause(Math.min(group.heartbeat.expiresAt, end, now + WATCHER_HEARTBEAT_MS) - now);
    }
  }

  async #send(group: Group, end: number): Promise<void> {
    const now = elapsed();
    group.hasBegun = true;
    group.heartbeat.dueAt = now;
    const onSleep = (until: number) => {
      group.heartbeat.dueAt = until;
    };
    try {
      await this.#host.flush({ timeoutMs: Math.max(end - now, 0), onSleep });
    } finally {
      group.isOver = true;
    }
  }
}

function isContext(value: RequestContext | undefined): value is RequestContext {
  try {
    return typeof value?.waitUntil === "function";
  } catch {
    return false;
  }
}

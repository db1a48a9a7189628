import { InvalidOptionError } from "./errors/invalid-option-error.js";
import { pause } from "./event-loop.js";
import type { WaitOptions } from "./options.js";

/** What a runtime passes along with a request, such as the third argument of a Worker's `fetch`. */
export interface RequestContext {
  /** Keeps the request alive until the promise settles, beyond its response. */
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * A request's events leave together once the bus was offered none for this long: a handler's own
 * calls are mostly closer than that, and what waits is cheap beside a request to a collector.
 */
const QUIET_MS = 50;

/**
 * How long a bus that is never quiet puts the flush off: short beside the 30 seconds that a Worker
 * may live on after its response, and long enough to share a batch with other requests.
 */
const MAX_QUIETS = 10;

/** How long the flush may take: it ends before those 30 seconds do. */
const FLUSH_TIMEOUT_MS = 25_000;

/** What the rides need of their bus. */
interface RideHost {
  /** How many events were ever offered. */
  offered(): number;
  flush(options: WaitOptions): Promise<unknown>;
}

/** Gives the events of requests a ride: a flush for each that its context waits for. */
export class Rides {
  readonly #host: RideHost;
  /** The contexts whose ride is under way, and whether it was asked for again since it flushed. */
  readonly #riding = new WeakMap<RequestContext, { again: boolean }>();

  constructor(host: RideHost) {
    this.#host = host;
  }

  /** Sees to it that what is in the bus, and what comes right after, is sent within the request. */
  request(context: RequestContext): void {
    if (!isContext(context)) {
      throw new InvalidOptionError(
        "ctx",
        "`waitUntil(ctx)` takes the context of a request: the third argument of a Worker's `fetch`, or any object with a `waitUntil` method",
      );
    }
    const ride = this.#riding.get(context);
    if (ride !== undefined) {
      ride.again = true;
      return;
    }
    context.waitUntil(this.#ride(context));
  }

  async #ride(context: RequestContext): Promise<void> {
    const ride = { again: false };
    this.#riding.set(context, ride);
    try {
      do {
        await this.#quiet();
        ride.again = false;
        await this.#host.flush({ timeoutMs: FLUSH_TIMEOUT_MS });
      } while (ride.again);
    } finally {
      this.#riding.delete(context);
    }
  }

  /** Resolves when the bus was quiet, or has been waited for long enough. */
  async #quiet(): Promise<void> {
    let offered = this.#host.offered();
    for (let quiets = 0; quiets < MAX_QUIETS; quiets++) {
      await pause(QUIET_MS);
      const before = offered;
      offered = this.#host.offered();
      if (offered === before) return;
    }
  }
}

function isContext(value: RequestContext): boolean {
  try {
    return typeof value?.waitUntil === "function";
  } catch {
    return false;
  }
}

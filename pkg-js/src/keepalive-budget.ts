/**
 * Most bytes of bodies in flight. Browsers allow 64 KiB a page, and count headers and the beacons of
 * other scripts too.
 */
const MAX_BYTES = 60_000;

/** Most requests in flight: what Chromium allows. */
const MAX_REQUESTS = 9;

/** What all copies of this package share: plain data, whatever their versions. */
interface InFlight {
  bytes: number;
  requests: number;
}

const SHARED = Symbol.for("shardbus.keepalive");

/**
 * What a page's requests with `keepalive` may still carry. A browser fails those that are too much,
 * so all buses of a page share one budget.
 */
export class KeepaliveBudget {
  readonly #inFlight: InFlight;

  constructor() {
    const page = globalThis as { [SHARED]?: InFlight };
    page[SHARED] ??= { bytes: 0, requests: 0 };
    this.#inFlight = page[SHARED];
  }

  /** Most bytes that one more request may have; 0 if there may be none. */
  room(): number {
    const { bytes, requests } = this.#inFlight;
    return requests < MAX_REQUESTS ? MAX_BYTES - bytes : 0;
  }

  /**
   * Takes what a request with a body of so many bytes needs.
   *
   * @returns what gives it back, once; `undefined` if there is not enough.
   */
  take(bytes: number): (() => void) | undefined {
    if (bytes > this.room()) return undefined;
    const inFlight = this.#inFlight;
    inFlight.bytes += bytes;
    inFlight.requests++;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      inFlight.bytes -= bytes;
      inFlight.requests--;
    };
  }
}

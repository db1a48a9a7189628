/**
 * Most bytes of bodies in flight. Browsers allow 64 KiB a page, and count headers and the beacons of
 * other scripts too.
 */
const MAX_BYTES = 60_000;

/** Most requests in flight: Chromium allows no more. */
const MAX_REQUESTS = 9;

/**
 * The time for which a request still counts after its answer. To a browser it ends with the last
 * byte of the response, which a callback may not have waited for; Firefox and Chromium take up to
 * 90 ms then.
 */
const GRACE_MS = 100;

/** The share of one request. */
interface Share {
  readonly bytes: number;
  /**
   * The time from which it counts no more, on the clock of `performance.now()`: each copy of the
   * package has an `elapsed()` of its own.
   */
  until: number;
}

const SHARED = Symbol.for("shardbus.keepalive");

/**
 * The bytes that a page's requests with `keepalive` may still carry. A browser fails requests
 * beyond its quota, so all buses of a page share one budget, whichever copy of this package they
 * come from.
 */
export class KeepaliveBudget {
  /** Plain data, because copies may be of different versions. */
  readonly #shares: Share[];

  constructor() {
    const page = globalThis as { [SHARED]?: Share[] };
    page[SHARED] ??= [];
    this.#shares = page[SHARED];
  }

  /** Most bytes that one more request may have; 0 if there may be none. */
  room(): number {
    const now = performance.now();
    const shares = this.#shares;
    let room = MAX_BYTES;
    for (let i = shares.length - 1; i >= 0; i--) {
      const { bytes, until } = shares[i] as Share;
      if (until <= now) shares.splice(i, 1);
      else room -= bytes;
    }
    return shares.length < MAX_REQUESTS ? room : 0;
  }

  /**
   * Takes the share of a request whose body has so many bytes.
   *
   * @returns a function that gives it back; `undefined` if there is not enough.
   */
  take(bytes: number): (() => void) | undefined {
    if (bytes > this.room()) return undefined;
    const share = { bytes, until: Number.POSITIVE_INFINITY };
    this.#shares.push(share);
    return () => {
      share.until = Math.min(share.until, performance.now() + GRACE_MS);
    };
  }
}

// The events that every measurement feeds, as a service would make them.

const TYPES = ["page_view", "click", "scroll", "api_call"];
const path = (i) => `/products/${1000 + (i & 63)}`;
const user = (i) => `u_${100_000 + (((i & 511) * 7919) % 899_999)}`;

/**
 * Strings as a parser makes them. V8 keeps the result of a template as a tree of its parts, and its
 * fastest way to write JSON gives up on some of those.
 */
const flat = (strings) => JSON.parse(JSON.stringify(strings));
const PATHS = flat(Array.from({ length: 64 }, (_, i) => path(i)));
const USERS = flat(Array.from({ length: 512 }, (_, i) => user(i)));
const FIRST_TIMESTAMP = 1_790_000_000_000;

/**
 * A fresh object of nine fields, 151 bytes as JSON on average.
 *
 * @param {number} i which event; at most a milliard
 */
export function makeEvent(i) {
  return {
    id: i,
    ts: FIRST_TIMESTAMP + i,
    type: TYPES[i & 3],
    user: USERS[i & 511],
    session: "s_4f9c1b7e",
    path: PATHS[i & 63],
    dur: (i % 977) / 8,
    ok: (i & 7) !== 0,
    ref: "google",
  };
}

/** {@linkcode makeEvent} with strings that are built anew for each event. */
export function makeFreshEvent(i) {
  const event = makeEvent(i);
  event.path = path(i);
  event.user = user(i);
  event.session = `s_${(1_335_630_000 + (i & 1023)).toString(16)}`;
  return event;
}

/** Counts how often each of the first `count` events was delivered, in any format. */
export class Census {
  #seen;
  #decoder = new TextDecoder();

  /** @param {number} count */
  constructor(count) {
    this.#seen = new Uint8Array(count);
  }

  /** @param {Uint8Array} body */
  add(body) {
    if (!(body instanceof Uint8Array)) throw new TypeError(`delivered a ${typeof body}`);
    // The timestamp is the one field that no format wraps, and no envelope has.
    for (const [, i] of this.#decoder.decode(body).matchAll(/(?<!\d)1790(\d{9})(?!\d)/g)) {
      if (Number(i) < this.#seen.length) this.#seen[Number(i)]++;
    }
  }

  /** The defects of a delivery; empty if every event was delivered once. */
  complaint() {
    const missing = this.#seen.filter((times) => times === 0).length;
    const repeated = this.#seen.filter((times) => times > 1).length;
    if (missing + repeated === 0) return undefined;
    return `of ${this.#seen.length} events ${missing} are missing and ${repeated} are there twice`;
  }
}

// @ts-check
// The only simulated part: the network and the collector behind it. It answers what the HTTP sink
// of the package posts, as `fetch` would.

/** The collector's state. @typedef {"up" | "slow" | "limited" | "down"} Weather */

/**
 * @typedef {object} Request
 * @property {string} id the batch's
 * @property {number} shard
 * @property {readonly string[]} events as JSON
 * @property {boolean} isOfGhost
 */

/**
 * An attempt, for the drawing: it travels for `duration`, arrives in the middle, and ends.
 *
 * @typedef {object} Attempt
 * @property {Request} request
 * @property {number} startedAt
 * @property {number} duration
 * @property {"travelling" | "delivered" | "failed" | "refused" | "cut off"} state
 * @property {number} endedAt
 * @property {number} retryAfterMs
 * @property {boolean} isTaken whether it will be stored
 */

/** The seconds for which a collector that limits its senders wants to be left alone. */
const RETRY_AFTER_S = 2;

/** Milliseconds of a request and its answer, in each weather. @type {{ [weather in Weather]: [number, number] }} */
const LATENCY = { up: [130, 220], slow: [1400, 2000], limited: [130, 220], down: [220, 320] };

/** The run of a batch: its id without shard and sequence. @param {string} id */
export const runOf = (id) => id.split("-").slice(0, -2).join("-");

/** The collector. */
export class Receiver {
  /** @type {Weather} */
  weather = "up";
  /** Events that it has stored. */
  stored = 0;
  /** Events that came a second time. */
  repeated = 0;
  /** Called for each attempt, when it begins and when it ends. @type {(attempt: Attempt) => void} */
  onAttempt = () => {};
  /** @type {Map<string, Set<string>>} */
  #batches = new Map();
  /** Events stored, by run. @type {Map<string, number>} */
  #byRun = new Map();
  /** Events on their way, by run. @type {Map<string, number>} */
  #travelling = new Map();
  #openAt = 0;

  /** Events that it has of a run, each once. @param {string} run */
  storedOf(run) {
    return this.#byRun.get(run) ?? 0;
  }

  /** Events that it will have of a run. @param {string} run */
  travellingOf(run) {
    return this.#travelling.get(run) ?? 0;
  }

  /**
   * Answers as the weather is. The answer comes even if nobody waits for it any more.
   *
   * @param {Request} request
   * @param {{ aborted: boolean, addEventListener: Function } | undefined} signal
   * @returns {Promise<{ status: number, retryAfterS?: number }>} rejects, if there is no answer
   */
  answer(request, signal) {
    const [least, most] = LATENCY[this.weather];
    const duration = least + Math.random() * (most - least);
    const isTaken = this.weather === "up" || this.weather === "slow" || this.#takesOne();
    /** @type {Attempt} */
    const attempt = {
      request,
      startedAt: performance.now(),
      duration,
      state: "travelling",
      endedAt: 0,
      retryAfterMs: 0,
      isTaken,
    };
    this.onAttempt(attempt);
    if (isTaken) {
      this.#travel(request, 1);
      setTimeout(() => {
        this.#travel(request, -1);
        this.#store(request);
      }, duration / 2);
    }
    return new Promise((resolve, reject) => {
      /** @param {Attempt["state"]} state */
      const end = (state) => {
        if (attempt.state !== "travelling") return false;
        attempt.state = state;
        attempt.endedAt = performance.now();
        if (state === "refused") attempt.retryAfterMs = RETRY_AFTER_S * 1000;
        this.onAttempt(attempt);
        return true;
      };
      setTimeout(() => {
        if (isTaken) end("delivered") && resolve({ status: 204 });
        else if (this.weather === "limited")
          end("refused") && resolve({ status: 429, retryAfterS: RETRY_AFTER_S });
        else end("failed") && reject(new TypeError("Failed to fetch"));
      }, duration);
      signal?.addEventListener("abort", () => end("cut off") && reject(new Error("aborted")));
    });
  }

  /** A collector that limits its senders takes one request, and then none for a while. */
  #takesOne() {
    if (this.weather !== "limited" || performance.now() < this.#openAt) return false;
    this.#openAt = performance.now() + RETRY_AFTER_S * 500;
    return true;
  }

  /** @param {Request} request @param {1 | -1} sign */
  #travel({ id, events }, sign) {
    const run = runOf(id);
    this.#travelling.set(run, this.travellingOf(run) + sign * events.length);
  }

  /** Stores a batch, unless it is there already. @param {Request} request */
  #store({ id, events, isOfGhost }) {
    if (isOfGhost) return;
    const run = runOf(id);
    const ids = this.#batches.get(run) ?? new Set();
    this.#batches.set(run, ids);
    if (ids.has(id)) {
      this.repeated += events.length;
      return;
    }
    ids.add(id);
    this.stored += events.length;
    this.#byRun.set(run, this.storedOf(run) + events.length);
  }
}

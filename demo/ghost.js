// @ts-check
// The comparison: an array and a timer, with the same events and in the same weather. Nothing bounds
// the array, a failed request takes its events along, and nobody counts.

/** Milliseconds between two posts. */
const INTERVAL_MS = 1000;

export class Ghost {
  offered = 0;
  delivered = 0;
  inFlight = 0;
  lost = 0;
  /** @type {unknown[]} */
  #events = [];
  #receiver;
  #timer = setInterval(() => this.#post(), INTERVAL_MS);

  /** @param {import("./receiver.js").Receiver} receiver */
  constructor(receiver) {
    this.#receiver = receiver;
  }

  stop() {
    clearInterval(this.#timer);
  }

  get held() {
    return this.#events.length;
  }

  /** @param {unknown} event */
  push(event) {
    this.offered++;
    this.#events.push(event);
  }

  /** The tab closes: nothing is sent, and nobody is told. */
  closeTab() {
    this.lost += this.#events.length;
    this.#events = [];
  }

  async #post() {
    const batch = this.#events;
    if (batch.length === 0) return;
    this.#events = [];
    this.inFlight += batch.length;
    const request = {
      id: "ghost",
      shard: -1,
      events: batch.map(() => ""),
      isOfGhost: true,
    };
    try {
      const { status } = await this.#receiver.answer(request, undefined);
      if (status >= 400) throw new Error(`status ${status}`);
      this.delivered += batch.length;
    } catch {
      this.lost += batch.length;
    } finally {
      this.inFlight -= batch.length;
    }
  }
}

// @ts-check
// Adds up the events of all tabs so far. A tab's bus accounts for its events itself; the rest of a
// closed tab is found in the receiver or in the outbox.
import { runOf } from "./receiver.js";

/**
 * @typedef {object} Entry a tab's account
 * @property {import("shardbus").EventBus<any>} bus
 * @property {boolean} hasStore
 * @property {import("shardbus").BusStats | undefined} final the last statistics of a tab that is gone
 * @property {boolean} isClosedInOrder whether `close()` ended its bus, and not the tab's end
 * @property {number} moved events that were offered to the next bus
 * @property {number} restoredSettled events of earlier tabs that this one has settled
 */

/** @typedef {"evicted" | "refused" | "abandoned" | "gone"} Loss */

/** @typedef {{ offered: number, delivered: number, inFlight: number, waiting: number, outbox: number, lost: number, losses: { [loss in Loss]: number }, isBalanced: boolean }} Account */

export class Ledger {
  /** @type {Entry[]} */
  #tabs = [];
  /** Events that a receiver's answer has settled, by run. @type {Map<string, number>} */
  #delivered = new Map();
  /** Events abandoned with their batch, by run. @type {Map<string, number>} */
  #abandoned = new Map();
  #receiver;

  /** @param {import("./receiver.js").Receiver} receiver */
  constructor(receiver) {
    this.#receiver = receiver;
  }

  /** @param {import("shardbus").EventBus<any>} bus @param {boolean} hasStore */
  open(bus, hasStore) {
    /** @type {Entry} */
    const entry = {
      bus,
      hasStore,
      final: undefined,
      isClosedInOrder: false,
      moved: 0,
      restoredSettled: 0,
    };
    this.#tabs.push(entry);
    return entry;
  }

  /** @param {Entry} entry @param {import("shardbus").Delivery<any>} delivery */
  delivered(entry, { batch, count }) {
    this.#settle(this.#delivered, entry, runOf(batch.id), count);
  }

  /** @param {Entry} entry @param {import("shardbus").Drop<any>} drop */
  dropped(entry, { batch, count }) {
    if (batch) this.#settle(this.#abandoned, entry, runOf(batch.id), count);
  }

  /** @param {Map<string, number>} counts @param {Entry} entry @param {string} run @param {number} count */
  #settle(counts, entry, run, count) {
    counts.set(run, (counts.get(run) ?? 0) + count);
    if (run !== entry.bus.stats().runId) entry.restoredSettled += count;
  }

  /** @returns {Account} */
  account() {
    const sum = { offered: 0, delivered: 0, inFlight: 0, waiting: 0, outbox: 0 };
    const losses = { evicted: 0, refused: 0, abandoned: 0, gone: 0 };
    let isBalanced = true;
    for (const tab of this.#tabs) {
      const stats = tab.final ?? tab.bus.stats();
      const run = stats.runId ?? "";
      const refused = Object.values(stats.rejected).reduce((a, b) => a + b);
      const abandoned = this.#abandoned.get(run) ?? 0;
      const offered = stats.offered - stats.restored - tab.moved;
      sum.offered += offered;
      losses.refused += refused;
      losses.evicted += stats.evicted;
      losses.abandoned += abandoned;
      const lost = refused + stats.evicted + abandoned;
      if (tab.final === undefined) {
        const delivered = this.#delivered.get(run) ?? 0;
        const inFlight = stats.inFlight - (stats.restored - tab.restoredSettled);
        sum.delivered += delivered;
        sum.waiting += stats.pending;
        sum.inFlight += inFlight;
        isBalanced &&= offered === delivered + inFlight + stats.pending + lost;
      } else {
        // The last answers to a tab that was closed reached nobody: the receiver knows. A bus that
        // was closed in order has accounted for its events itself.
        const known = tab.isClosedInOrder ? 0 : this.#receiver.storedOf(run);
        const delivered = Math.max(known, this.#delivered.get(run) ?? 0);
        const isAwaited = !tab.hasStore && !tab.isClosedInOrder;
        const travelling = isAwaited ? this.#receiver.travellingOf(run) : 0;
        const rest = offered - delivered - travelling - lost;
        sum.delivered += delivered;
        sum.inFlight += travelling;
        if (tab.hasStore) sum.outbox += rest;
        else losses.gone += rest;
        isBalanced &&= rest >= 0;
      }
    }
    const lost = losses.evicted + losses.refused + losses.abandoned + losses.gone;
    isBalanced &&= sum.offered === sum.delivered + sum.inFlight + sum.waiting + sum.outbox + lost;
    return { ...sum, lost, losses, isBalanced };
  }
}

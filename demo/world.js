// @ts-check
// The demo without its looks: traffic through the bus of a tab, the receiver, and the comparison.
import { optionsOf } from "./code.js";
import { Ghost } from "./ghost.js";
import { Ledger } from "./ledger.js";
import { Receiver } from "./receiver.js";
import { Scene } from "./scene.js";
import { openTab } from "./tab-frame.js";
import { Traffic } from "./traffic.js";

/** Milliseconds for which a closed tab stays closed. */
const CLOSED_MS = 1600;
/** The time that a bus has to send its events, before another takes its place. */
const HANDOVER_MS = 300;

export class World {
  receiver = new Receiver();
  traffic = new Traffic();
  scene = new Scene();
  ledger = new Ledger(this.receiver);
  ghost = new Ghost(this.receiver);
  /** @type {import("./code.js").Settings} */
  settings = { backpressure: "drop-oldest", isAutoScaled: false, hasStore: false };
  /** The message of the open tab's store, if it does not work. */
  storeError = "";
  /** @type {{ bus: import("shardbus").EventBus<any>, close: () => Promise<void>, remove: () => void } | undefined} */
  #tab;
  /** @type {import("./ledger.js").Entry | undefined} */
  #entry;
  /** Changes of the tab, one after the other. */
  #changes = Promise.resolve();
  #isFirst = true;
  #isEnded = false;
  #place;
  #tabUrl;

  /** @param {HTMLElement} place where the tab's frame goes @param {string} tabUrl */
  constructor(place, tabUrl) {
    this.#place = place;
    this.#tabUrl = tabUrl;
    this.receiver.onAttempt = (attempt) => this.scene.attempted(attempt);
    this.#change(() => this.#open());
  }

  /** The bus of the tab that is open. */
  get bus() {
    return this.#tab?.bus;
  }

  /** Resolves when the changes so far are made. */
  changed() {
    return this.#changes;
  }

  /** @param {() => Promise<void>} change */
  #change(change) {
    const made = this.#changes.then(() => (this.#isEnded ? undefined : change()));
    // The next change is made although this one failed.
    this.#changes = made.catch((error) => console.error(error));
  }

  async #open() {
    const { hasStore } = this.settings;
    this.storeError = "";
    /** @type {import("./ledger.js").Entry | undefined} */
    let entry;
    const tab = await openTab(this.#place, this.#tabUrl, {
      options: optionsOf(this.settings),
      hasStore,
      isFirst: this.#isFirst,
      answer: (request, signal) => this.receiver.answer(request, signal),
      onDelivered: (delivery) => entry && this.ledger.delivered(entry, delivery),
      onDrop: (drop) => this.#dropped(entry, drop),
      onStoreError: ({ message }) => {
        this.storeError = message;
      },
    });
    if (this.#isEnded) return tab.remove();
    this.#isFirst = false;
    entry = this.ledger.open(tab.bus, hasStore);
    this.#entry = entry;
    this.#tab = tab;
  }

  /** @param {import("./ledger.js").Entry | undefined} entry @param {import("shardbus").Drop<any>} drop */
  #dropped(entry, drop) {
    if (!entry) return;
    if (drop.reason === "shutdown" && drop.batch) {
      // The next bus gets them.
      entry.moved += drop.count;
      this.#left.push(...drop.batch);
      return;
    }
    this.ledger.dropped(entry, drop);
    if (drop.batch) this.scene.dropped(drop.batch.id, performance.now());
  }

  /** Events that a bus could not send before it was closed. @type {string[]} */
  #left = [];

  /** A bus with other options takes the place of this one. @param {Partial<import("./code.js").Settings>} settings */
  change(settings) {
    Object.assign(this.settings, settings);
    this.#change(async () => {
      const [tab, entry] = this.#leave();
      if (!tab || !entry) return;
      await tab.bus.close({ timeoutMs: HANDOVER_MS });
      entry.isClosedInOrder = true;
      entry.final = tab.bus.stats();
      tab.remove();
      this.scene.reset();
      await this.#open();
      for (const text of this.#left.splice(0)) this.#offer(JSON.parse(text));
    });
  }

  /** The tab is closed as a browser closes it, and opened again. */
  closeTab() {
    this.#change(async () => {
      const [tab, entry] = this.#leave();
      if (!tab || !entry) return;
      this.ghost.closeTab();
      await tab.close();
      entry.final = tab.bus.stats();
      this.scene.reset();
      await new Promise((opened) => setTimeout(opened, CLOSED_MS));
      await this.#open();
    });
  }

  #leave() {
    const left = /** @type {const} */ ([this.#tab, this.#entry]);
    this.#tab = undefined;
    this.#entry = undefined;
    return left;
  }

  /** Lets time pass. @param {number} ms */
  step(ms) {
    const now = performance.now();
    if (this.bus) this.scene.follow(this.bus.stats(), now);
    for (const event of this.traffic.events(ms)) {
      if (!this.bus) break;
      this.ghost.push(event);
      this.#offer(event);
    }
    if (this.bus) this.scene.follow(this.bus.stats(), now);
  }

  /** @param {{ user: string }} event */
  #offer(event) {
    const { bus } = this;
    if (!bus) return;
    let isAccepted = false;
    try {
      isAccepted = bus.ingest(event);
    } catch (error) {
      // A full bus told the producer, as it was asked to.
      if (/** @type {any} */ (error).code !== "ERR_BACKPRESSURE") throw error;
    }
    this.scene.offered(bus, event, isAccepted, performance.now());
  }

  async end() {
    this.#isEnded = true;
    this.ghost.stop();
    const [tab] = this.#leave();
    await tab?.bus.close({ timeoutMs: 0 });
    tab?.remove();
  }
}

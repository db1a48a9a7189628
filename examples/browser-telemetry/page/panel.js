// @ts-check
import { options } from "./telemetry.js";

/** One place of a ring stays free. */
const PLACES = options.capacity - 1;

/** The meaning of each reason, in the order of the list. */
const REASONS = {
  evicted: "pushed out by newer events",
  retries: "refused by the collector, again and again",
  permanent: "refused by the collector for good",
  expired: "too old",
  full: "no room",
  sampled: "sampled out",
  oversize: "too large",
  invalid: "not JSON",
  unrouted: "no shard",
  shutdown: "left when the bus was closed",
  closed: "offered after that",
};

/** @param {string} selector */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector));

/** @param {Record<string, number>} counts */
const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

/** Shows what `bus.stats()` says, in every frame. */
export class Panel {
  #bus;
  #rings = find("#rings");

  /** @param {import("shardbus").EventBus} bus */
  constructor(bus) {
    this.#bus = bus;
    this.#rings.innerHTML = bus.stats().shards.map(ring).join("");
  }

  start() {
    this.#show(this.#bus.stats());
    requestAnimationFrame(() => this.start());
  }

  /** @param {import("shardbus").BusStats} stats */
  #show({ offered, delivered, inFlight, pending, evicted, rejected, abandoned, shards }) {
    /** @type {Record<string, number>} */
    const losses = { evicted, ...abandoned, ...rejected };
    const lost = sum(losses);
    setText(find("#offered"), offered);
    const places = { delivered, "in-flight": inFlight, waiting: pending, lost };
    for (const [place, count] of Object.entries(places)) {
      setText(find(`#${place}`), count);
      const part = find(`#share .${place}`);
      part.hidden = count === 0;
      part.style.flexGrow = String(count);
    }

    shards.forEach(({ pending, inFlight }, i) => {
      const ring = /** @type {HTMLElement} */ (this.#rings.children[i]);
      setText(/** @type {HTMLElement} */ (ring.querySelector("strong")), pending);
      ring.style.setProperty("--fill", String((pending / PLACES) * 100));
      ring.style.setProperty("--batch", String((inFlight / options.batch.maxSize) * 100));
    });

    find("#no-losses").hidden = lost > 0;
    for (const [reason, meaning] of Object.entries(REASONS)) {
      if (losses[reason] > 0) showLoss(reason, meaning, losses[reason]);
    }
  }
}

/** @param {{ id: number }} shard */
function ring({ id }) {
  const circle = (/** @type {string} */ name, /** @type {number} */ r) =>
    `<circle class="track" r="${r}" /><circle class="${name}" r="${r}" pathLength="100" />`;
  return `<li>
    <svg viewBox="-50 -50 100 100" aria-hidden="true">${circle("waiting", 45)}${circle("in-flight", 33)}</svg>
    <strong>0</strong><small>shard ${id}</small>
  </li>`;
}

/** @param {string} reason @param {string} meaning @param {number} count */
function showLoss(reason, meaning, count) {
  const id = `loss-${reason}`;
  if (document.getElementById(id) === null) {
    const item = `<li id="${id}"><b>${reason}</b><small>${meaning}</small><strong></strong></li>`;
    find("#losses").insertAdjacentHTML("beforeend", item);
  }
  setText(find(`#${id} strong`), count);
}

/** @param {HTMLElement} element @param {number} count */
function setText(element, count) {
  const text = count.toLocaleString("en");
  if (element.textContent !== text) element.textContent = text;
}

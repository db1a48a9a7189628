// @ts-check
// The contents of the drawing, kept by the numbers of the bus: each cell is a pending event, each
// capsule a batch that the sink has posted.
import { COLOURS, colourOf } from "./traffic.js";

/** Milliseconds of an event's flight into its shard, and of a loss into its bin. */
export const FLIGHT_MS = 450;
/** Milliseconds for which a settled capsule is still shown, and the receiver glows. */
export const AFTERGLOW_MS = 350;
/** Most dots that fly at a time. */
const MOST_DOTS = 1500;

/**
 * @typedef {object} Dot a flying event
 * @property {"arrive" | "refuse" | "fall"} kind
 * @property {number} shard
 * @property {number} colour
 * @property {number} at its start
 * @property {number} lane a number from 0 to 1 that spreads the dots
 */

/**
 * @typedef {object} Capsule a batch that was posted
 * @property {string} id
 * @property {number} shard
 * @property {number} count
 * @property {readonly number[]} colours the number of events of each colour
 * @property {import("./receiver.js").Attempt} attempt the last
 * @property {number} settledAt 0 until it is settled
 */

/**
 * @typedef {object} Tube a shard
 * @property {number} id
 * @property {boolean} isDraining
 * @property {number[]} cells colours of the pending events, the oldest first
 * @property {number[]} bornAt
 * @property {number} evicted
 * @property {number} y its place, which follows its rank
 * @property {number} height
 */

export class Scene {
  /** @type {Tube[]} */
  tubes = [];
  /** @type {Dot[]} */
  dots = [];
  /** @type {Map<string, Capsule>} */
  capsules = new Map();
  /** The time of the receiver's last answer to a batch that it stored. */
  storedAt = Number.NEGATIVE_INFINITY;
  /** Whether dots fly. */
  isMoving = true;
  /** Whether tubes glide to their places. */
  isGliding = false;
  /** The shard of each key, until the shards change. @type {Map<string, number>} */
  #shards = new Map();
  #shape = "";

  /** Forgets a tab that is gone. */
  reset() {
    this.tubes = [];
    this.dots = this.dots.filter(({ kind }) => kind !== "arrive");
    this.capsules.clear();
    this.#shards.clear();
    this.#shape = "";
  }

  /** Notes an event that was offered. @param {import("shardbus").EventBus<any>} bus @param {{ user: string }} event @param {boolean} isAccepted @param {number} now */
  offered(bus, event, isAccepted, now) {
    const shard = this.#shards.get(event.user) ?? bus.shardFor(event.user);
    this.#shards.set(event.user, shard);
    const colour = colourOf(event.user);
    this.#fly({
      kind: isAccepted ? "arrive" : "refuse",
      shard,
      colour,
      at: now,
      lane: Math.random(),
    });
    if (!isAccepted) return;
    const tube = this.tubes.find(({ id }) => id === shard);
    tube?.cells.push(colour);
    tube?.bornAt.push(now);
  }

  /** @param {Dot} dot */
  #fly(dot) {
    if (this.isMoving && this.dots.length < MOST_DOTS) this.dots.push(dot);
  }

  /** Follows the bus. @param {import("shardbus").BusStats} stats @param {number} now */
  follow({ shards }, now) {
    const shape = shards.map(({ id, state }) => `${id}${state}`).join();
    if (shape !== this.#shape) this.#shards.clear();
    this.#shape = shape;
    const total = shards.length;
    this.isGliding = false;
    this.tubes = shards.map((shard, rank) => {
      const tube = this.tubes.find(({ id }) => id === shard.id) ?? this.#split(shard, rank, total);
      this.#followShard(tube, shard, now);
      // It glides to its place.
      const [way, growth] = [(rank + 0.5) / total - tube.y, 1 / total - tube.height];
      tube.y += way * 0.15;
      tube.height += growth * 0.15;
      this.isGliding ||= Math.abs(way) + Math.abs(growth) > 0.002;
      return tube;
    });
    this.dots = this.dots.filter(({ at }) => now - at < FLIGHT_MS);
    for (const [id, { settledAt }] of this.capsules) {
      if (settledAt > 0 && now - settledAt > AFTERGLOW_MS) this.capsules.delete(id);
    }
  }

  /** A new tube grows out of the one before it. @param {import("shardbus").ShardStats} shard @param {number} rank @param {number} total @returns {Tube} */
  #split(shard, rank, total) {
    const before = this.tubes[Math.min(rank, this.tubes.length) - 1];
    const place = before
      ? { y: before.y, height: 0 }
      : { y: (rank + 0.5) / total, height: 1 / total };
    const { id, evicted } = shard;
    return { id, evicted, isDraining: false, cells: [], bornAt: [], ...place };
  }

  /** @param {Tube} tube @param {import("shardbus").ShardStats} shard @param {number} now */
  #followShard(tube, shard, now) {
    const evicted = shard.evicted - tube.evicted;
    for (let i = 0; i < Math.min(evicted, 8); i++) {
      const colour = tube.cells[i] ?? 0;
      this.#fly({ kind: "fall", shard: shard.id, colour, at: now, lane: Math.random() });
    }
    const surplus = Math.max(0, tube.cells.length - shard.pending);
    tube.cells.splice(0, surplus);
    tube.bornAt.splice(0, surplus);
    tube.isDraining = shard.state === "draining";
    tube.evicted = shard.evicted;
  }

  /** Follows an attempt. @param {import("./receiver.js").Attempt} attempt */
  attempted(attempt) {
    const { request, state, endedAt } = attempt;
    if (request.isOfGhost) return;
    const { id, shard, events } = request;
    const capsule = this.capsules.get(id) ?? {
      id,
      shard,
      count: events.length,
      colours: coloursOf(events),
      attempt,
      settledAt: 0,
    };
    this.capsules.set(id, capsule);
    capsule.attempt = attempt;
    if (state === "delivered") {
      capsule.settledAt = endedAt;
      this.storedAt = endedAt;
    }
  }

  /** Takes a capsule away whose events are lost. @param {string} id @param {number} now */
  dropped(id, now) {
    const capsule = this.capsules.get(id);
    if (!capsule) return;
    this.capsules.delete(id);
    for (let i = 0; i < Math.min(capsule.count, 12); i++) {
      const colour = capsule.colours.findIndex((count) => count > 0);
      this.#fly({ kind: "fall", shard: capsule.shard, colour, at: now, lane: Math.random() });
    }
  }
}

/** @param {readonly string[]} events */
function coloursOf(events) {
  const colours = Array.from({ length: COLOURS }, () => 0);
  for (const text of events) {
    const colour = colourOf(JSON.parse(text).user);
    colours[colour] = (colours[colour] ?? 0) + 1;
  }
  return colours;
}

// @ts-check
// Draws the scene: events fly from the code into shards, batches travel to the receiver, losses fall
// into bins, and the array of the comparison has a lane of its own. Shapes and texts stand on a backdrop
// that is drawn less often than what moves, as they take most of a frame.
import { drawCapsule } from "./drawing-capsules.js";
import { drawCells, gridOf } from "./drawing-cells.js";
import { pixelOf } from "./drawing-pixels.js";
import { drawGhost, drawGlow, drawReceiver } from "./drawing-receivers.js";
import { ROOM, roundRect, setFont } from "./drawing-shapes.js";
import { FLIGHT_MS } from "./scene.js";
import { COLOURS } from "./traffic.js";

/** @typedef {"refused" | "gone" | "evicted" | "abandoned"} Bin */
/** @type {readonly Bin[]} */
const BINS = ["refused", "gone", "evicted", "abandoned"];
/** How deep events fall into a bin: above its number, which they would hide. */
const RIM = 5;
/** @type {{ [bin in Bin]: [long: string, short: string] }} */
const LABELS = {
  refused: ["refused", "refused"],
  gone: ["gone with the tab", "with tab"],
  evicted: ["evicted", "evicted"],
  abandoned: ["abandoned", "abandoned"],
};

/**
 * The places of things, for a width and a height.
 *
 * @typedef {ReturnType<typeof layOut>} Layout
 */

/** @param {number} width @param {number} height @param {number} ratio pixels of the canvas in one of the page */
export function layOut(width, height, ratio) {
  const isNarrow = width < 620;
  const source = isNarrow ? 6 : 74;
  const from = isNarrow ? 34 : 128;
  const receiverWidth = isNarrow ? 58 : 118;
  const receiver = width - receiverWidth - (isNarrow ? 2 : 8);
  const to = from + (receiver - from) * (isNarrow ? 0.58 : 0.6);
  const ghost = 64;
  const bins = 52;
  const bottom = height - ghost - bins - 26;
  return {
    width,
    height,
    ratio,
    isNarrow,
    source,
    from,
    to,
    receiver,
    receiverWidth,
    bottom,
    top: 22,
    bins,
    ghost,
    /** The height of all that moves. */
    moving: bottom + bins + 14,
  };
}

/** The colours of the page. @param {HTMLElement} element */
export function readColours(element) {
  const style = getComputedStyle(element);
  /** @param {string} name */
  const read = (name) => style.getPropertyValue(`--demo-${name}`).trim();
  const keys = Array.from({ length: COLOURS }, (_, i) => read(`key-${i}`));
  return {
    keys,
    pixels: keys.map(pixelOf),
    pale: pixelOf(read("line")),
    ink: read("ink"),
    faint: read("faint"),
    line: read("line"),
    glass: read("glass"),
    surface: read("surface"),
    good: read("good"),
    bad: read("bad"),
    warn: read("warn"),
  };
}

/** @typedef {ReturnType<typeof readColours>} Colours */

/**
 * Draws what stands still.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Layout} layout
 * @param {Colours} colours
 * @param {{ scene: import("./scene.js").Scene, account: import("./ledger.js").Account, ghost: import("./ghost.js").Ghost, receiver: import("./receiver.js").Receiver, isTabOpen: boolean }} world
 */
export function drawBackdrop(context, layout, colours, world) {
  context.clearRect(0, 0, layout.width, layout.height);
  context.textBaseline = "middle";
  drawSource(context, layout, colours, world.isTabOpen);
  for (const tube of world.scene.tubes) drawTube(context, layout, colours, tube);
  drawBins(context, layout, colours, world.account.losses);
  drawReceiver(context, layout, colours, world.receiver);
  drawGhost(context, layout, colours, world.ghost);
}

/**
 * Draws what moves, in front of the backdrop.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./drawing-pixels.js").Pixels} pixels
 * @param {Layout} layout
 * @param {Colours} colours
 * @param {{ scene: import("./scene.js").Scene, now: number }} world
 */
export function drawMoving(context, pixels, layout, colours, { scene, now }) {
  pixels.clear();
  for (const tube of scene.tubes) {
    const height = heightOf(layout, tube);
    const top = middleOf(layout, tube) - height / 2;
    drawCells(pixels, layout, colours, tube, { top, height }, scene.isMoving ? now : undefined);
  }
  drawDots(pixels, layout, colours, { scene, now });
  pixels.show(context);
  context.textBaseline = "middle";
  for (const capsule of scene.capsules.values()) {
    const tube = scene.tubes.find(({ id }) => id === capsule.shard);
    const y = tube ? middleOf(layout, tube) : (layout.top + layout.bottom) / 2;
    drawCapsule(context, layout, colours, capsule, y, now, scene.isMoving);
  }
  if (scene.isMoving) drawGlow(context, layout, colours, now - scene.storedAt);
}

/** @param {Layout} layout @param {import("./scene.js").Tube} tube */
const middleOf = ({ top, bottom }, { y }) => top + (bottom - top) * y;

/** @param {Layout} layout @param {import("./scene.js").Tube} tube */
const heightOf = ({ top, bottom, isNarrow }, { height }) =>
  Math.max(2, Math.min((bottom - top) * height - (isNarrow ? 12 : 16), 84));

/** @param {CanvasRenderingContext2D} context @param {Layout} layout @param {Colours} colours @param {boolean} isTabOpen */
function drawSource(context, { source, top, bottom, isNarrow }, colours, isTabOpen) {
  const y = (top + bottom) / 2;
  context.globalAlpha = isTabOpen ? 1 : 0.35;
  if (isNarrow) {
    context.fillStyle = colours.line;
    roundRect(context, 2, y - 28, 8, 56, 4);
    context.fill();
  } else {
    context.fillStyle = colours.surface;
    context.strokeStyle = colours.line;
    context.lineWidth = 1.5;
    roundRect(context, 4, y - 32, source - 4, 64, 12);
    context.fill();
    context.stroke();
    context.fillStyle = colours.ink;
    context.textAlign = "center";
    setFont(context, 13, 600);
    context.fillText("your", 4 + (source - 4) / 2, y - 8);
    context.fillText(isTabOpen ? "code" : "closed", 4 + (source - 4) / 2, y + 9);
  }
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Layout} layout
 * @param {Colours} colours
 * @param {import("./scene.js").Tube} tube
 */
function drawTube(context, layout, colours, tube) {
  const { from, to, isNarrow } = layout;
  const height = heightOf(layout, tube);
  const middle = middleOf(layout, tube);
  const top = middle - height / 2;
  const isFull = tube.cells.length >= ROOM;

  // The way of its batches.
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.setLineDash([2, 6]);
  context.beginPath();
  context.moveTo(to + 4, middle);
  context.lineTo(layout.receiver - 4, middle);
  context.stroke();

  context.fillStyle = colours.glass;
  context.strokeStyle = isFull ? colours.warn : colours.line;
  context.lineWidth = isFull ? 2 : 1.5;
  context.setLineDash(tube.isDraining ? [5, 5] : []);
  roundRect(context, from, top, to - from, height, 14);
  context.fill();
  context.stroke();
  context.setLineDash([]);

  if (height < 24) return;
  context.fillStyle = isFull ? colours.warn : colours.faint;
  setFont(context, isNarrow ? 10 : 12);
  context.textAlign = "left";
  const name = `shard ${tube.id}${tube.isDraining ? ", draining" : ""}`;
  context.fillText(isNarrow ? `${tube.id}` : name, from + (isNarrow ? 4 : 8), top - 7);
  context.textAlign = "right";
  const full = isFull ? "full · " : "";
  context.fillText(`${full}${tube.cells.length}`, to - 8, top - 7);
}

/** @param {CanvasRenderingContext2D} context @param {Layout} layout @param {Colours} colours @param {{ [bin in Bin]: number }} losses */
function drawBins(context, layout, colours, losses) {
  for (const bin of BINS) {
    const { x, y, width } = binOf(layout, bin);
    const count = losses[bin];
    context.strokeStyle = count > 0 ? colours.bad : colours.line;
    context.fillStyle = colours.glass;
    context.lineWidth = 1.5;
    // Open at the top.
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x, y + layout.bins - 10);
    context.quadraticCurveTo(x, y + layout.bins, x + 10, y + layout.bins);
    context.lineTo(x + width - 10, y + layout.bins);
    context.quadraticCurveTo(x + width, y + layout.bins, x + width, y + layout.bins - 10);
    context.lineTo(x + width, y);
    context.fill();
    context.stroke();
    context.textAlign = "center";
    context.fillStyle = count > 0 ? colours.bad : colours.faint;
    setFont(context, layout.isNarrow ? 13 : 16, 650);
    context.fillText(count.toLocaleString("en"), x + width / 2, y + 22);
    context.fillStyle = colours.faint;
    setFont(context, layout.isNarrow ? 9.5 : 12);
    context.fillText(LABELS[bin][width < 120 ? 1 : 0], x + width / 2, y + 39);
  }
}

/** @param {Layout} layout @param {Bin} bin */
function binOf({ from, receiver, bottom, isNarrow }, bin) {
  const gap = isNarrow ? 6 : 14;
  const left = isNarrow ? 4 : from;
  const each = (receiver - left - 10 + gap) / BINS.length;
  return { x: left + each * BINS.indexOf(bin), y: bottom + 10, width: each - gap };
}

/**
 * @param {import("./drawing-pixels.js").Pixels} pixels
 * @param {Layout} layout
 * @param {Colours} colours
 * @param {{ scene: import("./scene.js").Scene, now: number }} world
 */
function drawDots(pixels, layout, colours, { scene, now }) {
  const { ratio } = layout;
  const size = Math.round((layout.isNarrow ? 3.2 : 4.4) * ratio);
  const ways = new Map(scene.tubes.map((tube) => [tube.id, wayOf(layout, tube)]));
  for (const dot of scene.dots) {
    const way = ways.get(dot.shard);
    if (!way) continue;
    const [x, y] = placeOf(layout, way, dot, (now - dot.at) / FLIGHT_MS);
    const colour = colours.pixels[dot.colour] ?? 0;
    pixels.fillRect(x * ratio - size / 2, y * ratio - size / 2, size, size, colour);
  }
}

/** The places along the way into a tube. @param {Layout} layout @param {import("./scene.js").Tube} tube */
function wayOf(layout, tube) {
  const height = heightOf(layout, tube);
  const { rows, columnWidth } = gridOf(layout, height);
  const tail = layout.to - 8 - Math.ceil(tube.cells.length / rows) * columnWidth;
  return { middle: middleOf(layout, tube), height, tail };
}

/** @param {Layout} layout @param {ReturnType<typeof wayOf>} way @param {import("./scene.js").Dot} dot @param {number} t @returns {[number, number]} */
function placeOf(layout, { middle, height, tail }, { kind, lane }, t) {
  const { source, from, to } = layout;
  const y = middle + (lane - 0.5) * (height - 12);
  if (kind === "fall") {
    const bin = binOf(layout, "evicted");
    const end = bin.x + bin.width * (0.15 + lane * 0.7);
    return [to + (end - to) * t, y + (bin.y + RIM - y) * t * t];
  }
  const start = (layout.top + layout.bottom) / 2 + (lane - 0.5) * 20;
  const mouth =
    kind === "refuse" ? 0.5 : Math.min(0.7, (from - source) / Math.max(1, tail - source) + 0.2);
  if (t < mouth) {
    const p = t / mouth;
    return [source + (from - source) * p, start + (y - start) * p * p * (3 - 2 * p)];
  }
  const p = (t - mouth) / (1 - mouth);
  if (kind === "arrive") return [from + (Math.max(from, tail) - from) * p, y];
  const bin = binOf(layout, "refused");
  const end = bin.x + bin.width * (0.15 + lane * 0.7);
  return [from + (end - from) * p, y + (bin.y + RIM - y) * p * p];
}

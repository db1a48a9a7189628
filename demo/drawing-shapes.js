// @ts-check
// What the parts of the drawing share.

/** Events that fit into a shard: its capacity is 512, of which one slot stays free. */
export const ROOM = 511;

/** @param {CanvasRenderingContext2D} context @param {number} size */
export function setFont(context, size, weight = 500) {
  context.font = `${weight} ${size}px ui-sans-serif, system-ui, sans-serif`;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} w @param {number} h @param {number} r */
export function roundRect(context, x, y, w, h, r) {
  context.beginPath();
  context.roundRect(x, y, w, h, Math.min(r, h / 2, w / 2));
}

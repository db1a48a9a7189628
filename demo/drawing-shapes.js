// @ts-check
// Shapes and sizes that the parts of the drawing share.
import { CAPACITY } from "./code.js";

/** Events that fit into a shard. */
export const ROOM = CAPACITY - 1;

/** @param {CanvasRenderingContext2D} context @param {number} size */
export function setFont(context, size, weight = 500) {
  context.font = `${weight} ${size}px ui-sans-serif, system-ui, sans-serif`;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} w @param {number} h @param {number} r */
export function roundRect(context, x, y, w, h, r) {
  context.beginPath();
  context.roundRect(x, y, w, h, Math.min(r, h / 2, w / 2));
}

// @ts-check
// The cells of a shard: one for each pending event, in its colour.
import { ROOM } from "./drawing-shapes.js";
import { FLIGHT_MS } from "./scene.js";

/**
 * The rows and columns of a tube's cells.
 *
 * @param {import("./drawing.js").Layout} layout
 * @param {number} height
 */
export function gridOf({ from, to }, height) {
  const inner = Math.max(1, height - 8);
  const width = to - from - 16;
  const rows = Math.max(1, Math.round(inner / Math.sqrt((width * inner) / ROOM)));
  const columns = Math.ceil(ROOM / rows);
  return { rows, columnWidth: width / columns, rowHeight: inner / rows };
}

/**
 * @param {import("./drawing-pixels.js").Pixels} pixels
 * @param {import("./drawing.js").Layout} layout
 * @param {import("./drawing.js").Colours} colours
 * @param {import("./scene.js").Tube} tube
 * @param {{ top: number, height: number }} place
 * @param {number | undefined} now the time, if events fly: until its event has arrived, a cell is pale
 */
export function drawCells(pixels, layout, colours, tube, { top, height }, now) {
  const { to, ratio } = layout;
  const { rows, columnWidth, rowHeight } = gridOf(layout, height);
  const gap = Math.max(1, Math.round((columnWidth > 3 ? 1 : 0.5) * ratio)) / ratio;
  const count = Math.min(tube.cells.length, ROOM);
  let arrived = count;
  if (now !== undefined) {
    while (arrived > 0 && now - (tube.bornAt[arrived - 1] ?? 0) < FLIGHT_MS) arrived--;
  }
  for (let i = 0; i < count; i++) {
    const x = to - 8 - (Math.floor(i / rows) + 1) * columnWidth;
    const y = top + 4 + (i % rows) * rowHeight;
    const [left, first] = [Math.round(x * ratio), Math.round(y * ratio)];
    const right = Math.round((x + columnWidth) * ratio) - gap * ratio;
    const last = Math.round((y + rowHeight) * ratio) - gap * ratio;
    const colour = i < arrived ? colours.pixels[tube.cells[i] ?? 0] : colours.pale;
    pixels.fillRect(left, first, right - left, last - first, colour ?? 0);
  }
}

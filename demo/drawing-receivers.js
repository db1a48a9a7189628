// @ts-check
// Draws the receiver, and the lane of the array that the demo compares with.
import { ROOM, roundRect, setFont } from "./drawing-shapes.js";
import { AFTERGLOW_MS } from "./scene.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./drawing.js").Layout} layout
 * @param {import("./drawing.js").Colours} colours
 * @param {import("./receiver.js").Receiver} receiver
 */
export function drawReceiver(context, layout, colours, receiver) {
  const { receiver: x, receiverWidth: width, top, bottom, isNarrow } = layout;
  const light = { up: colours.good, slow: colours.warn, limited: colours.warn, down: colours.bad };
  const colour = light[receiver.weather];
  context.fillStyle = colours.surface;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  roundRect(context, x, top, width, bottom - top, 14);
  context.fill();
  context.stroke();
  const centre = x + width / 2;
  const middle = (top + bottom) / 2;
  context.beginPath();
  context.arc(centre, middle - 44, isNarrow ? 5 : 7, 0, Math.PI * 2);
  context.fillStyle = colour;
  context.fill();
  context.textAlign = "center";
  context.fillStyle = colours.ink;
  setFont(context, isNarrow ? 10.5 : 13, 600);
  context.fillText("receiver", centre, middle - 20);
  setFont(context, isNarrow ? 13 : 20, 700);
  context.fillText(receiver.stored.toLocaleString("en"), centre, middle + 6);
  context.fillStyle = colours.faint;
  setFont(context, isNarrow ? 9.5 : 12);
  context.fillText(isNarrow ? "stored" : "events stored", centre, middle + 27);
  if (receiver.repeated > 0) {
    context.fillText(`${receiver.repeated.toLocaleString("en")} twice`, centre, middle + 45);
  }
}

/** The receiver glows with each batch that it has stored. @param {CanvasRenderingContext2D} context @param {import("./drawing.js").Layout} layout @param {import("./drawing.js").Colours} colours @param {number} age */
export function drawGlow(context, { receiver, receiverWidth, top, bottom }, colours, age) {
  if (age >= AFTERGLOW_MS) return;
  context.globalAlpha = 0.24 * (1 - age / AFTERGLOW_MS);
  context.fillStyle = colours.good;
  roundRect(context, receiver, top, receiverWidth, bottom - top, 14);
  context.fill();
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {import("./drawing.js").Layout} layout @param {import("./drawing.js").Colours} colours @param {import("./ghost.js").Ghost} ghost */
export function drawGhost(context, layout, colours, ghost) {
  const { from, to, receiver: end, height, isNarrow, width } = layout;
  const top = height - layout.ghost + 14;
  const tall = layout.ghost - 30;
  const left = isNarrow ? 4 : from;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(0, height - layout.ghost - 6);
  context.lineTo(width, height - layout.ghost - 6);
  context.stroke();
  context.globalAlpha = 0.8;
  context.setLineDash([4, 4]);
  roundRect(context, left, top, to - left, tall, 10);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colours.faint;
  // On the scale of the shards' cells together.
  const share = Math.min(1, ghost.held / (ROOM * 3));
  roundRect(
    context,
    to - 4 - (to - left - 8) * share,
    top + 4,
    (to - left - 8) * share,
    tall - 8,
    6,
  );
  context.globalAlpha = 0.45;
  context.fill();
  context.globalAlpha = 1;
  setFont(context, isNarrow ? 10 : 12);
  context.textAlign = "left";
  context.fillText(
    isNarrow
      ? "array + timer"
      : to - left < 400
        ? "an array + setInterval"
        : "the same events in an array, posted by setInterval",
    left + 2,
    top - 8,
  );
  context.textAlign = "right";
  context.fillText(`${ghost.held.toLocaleString("en")} held`, to - 4, top - 8);
  context.textAlign = "left";
  context.fillStyle = ghost.lost > 0 ? colours.bad : colours.faint;
  setFont(context, isNarrow ? 11 : 14, 650);
  const lost = `${ghost.lost.toLocaleString("en")} lost`;
  context.fillText(isNarrow ? lost : `${lost}, uncounted`, to + 14, top + tall / 2);
  context.textAlign = "center";
  context.fillStyle = colours.faint;
  setFont(context, isNarrow ? 11 : 14, 650);
  context.fillText(
    ghost.delivered.toLocaleString("en"),
    end + layout.receiverWidth / 2,
    top + tall / 2 - 6,
  );
  setFont(context, isNarrow ? 9.5 : 12);
  context.fillText("arrived", end + layout.receiverWidth / 2, top + tall / 2 + 11);
}

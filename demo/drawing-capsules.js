// @ts-check
// Batches on their way: to the receiver, back from it, and waiting for their next attempt.
import { LONGEST_PAUSE_MS } from "./code.js";

const HEIGHT = 24;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./drawing.js").Layout} layout
 * @param {import("./drawing.js").Colours} colours
 * @param {import("./scene.js").Capsule} capsule
 * @param {number} y
 * @param {number} now
 * @param {boolean} isMoving
 */
export function drawCapsule(context, layout, colours, capsule, y, now, isMoving) {
  const { to, receiver, isNarrow } = layout;
  const { attempt, count } = capsule;
  const width = isNarrow ? 34 : 40 + Math.min(22, count * 0.1);
  const dock = to + (isNarrow ? 5 : 14);
  const far = receiver - width - 6;
  const t = Math.min(1, (now - attempt.startedAt) / attempt.duration);
  let x = dock;
  let alpha = 1;
  let edge = colours.line;
  if (attempt.state === "travelling" || attempt.state === "delivered") {
    const way = isMoving ? t : 0.25;
    // Half of the time is the answer's.
    const p = Math.min(1, way * 2);
    x = dock + (far - dock) * (p * p * (3 - 2 * p));
    edge = colours.ink;
    if (way > 0.5 && attempt.isTaken) {
      alpha = Math.max(0, 1 - (way - 0.5) * 4);
      drawAnswer(context, colours, receiver - 6 + (dock - receiver) * (way - 0.5) * 2, y);
    } else if (way > 0.5) {
      x = far + (dock - far) * (way - 0.5) * 2;
      edge = colours.bad;
    }
  } else {
    edge = colours.bad;
    drawPause(context, colours, dock + width + (isNarrow ? 9 : 14), y, attempt, now);
  }
  if (alpha === 0) return;
  context.globalAlpha = alpha;
  const top = y - HEIGHT / 2;
  context.fillStyle = colours.surface;
  context.strokeStyle = edge;
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(x, top, width, HEIGHT, HEIGHT / 2);
  context.fill();
  drawBands(context, colours, capsule, x, top, width);
  context.beginPath();
  context.roundRect(x, top, width, HEIGHT, HEIGHT / 2);
  context.stroke();
  context.fillStyle = colours.ink;
  context.textAlign = "center";
  context.font = `650 ${isNarrow ? 11 : 12}px ui-sans-serif, system-ui, sans-serif`;
  context.fillText(String(count), x + width / 2, y - 2);
  context.globalAlpha = 1;
}

/** The keys of a batch's events, as bands at its foot. @param {CanvasRenderingContext2D} context @param {import("./drawing.js").Colours} colours @param {import("./scene.js").Capsule} capsule @param {number} x @param {number} top @param {number} width */
function drawBands(context, colours, { count, colours: shares }, x, top, width) {
  context.save();
  context.beginPath();
  context.roundRect(x, top, width, HEIGHT, HEIGHT / 2);
  context.clip();
  let at = x;
  for (const [colour, share] of shares.entries()) {
    const wide = (width * share) / count;
    context.fillStyle = colours.keys[colour] ?? colours.ink;
    context.fillRect(at, top + HEIGHT - 6, wide, 6);
    at += wide;
  }
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {import("./drawing.js").Colours} colours @param {number} x @param {number} y */
function drawAnswer(context, colours, x, y) {
  context.beginPath();
  context.arc(x, y, 3.5, 0, Math.PI * 2);
  context.fillStyle = colours.good;
  context.fill();
}

/**
 * The ring is empty when the next attempt comes at the latest. After a `Retry-After` it comes then,
 * in an outage sooner, as its pauses grow.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./drawing.js").Colours} colours
 * @param {number} x
 * @param {number} y
 * @param {import("./receiver.js").Attempt} attempt
 * @param {number} now
 */
function drawPause(context, colours, x, y, { endedAt, retryAfterMs }, now) {
  const rest = Math.max(0, 1 - (now - endedAt) / (retryAfterMs || LONGEST_PAUSE_MS));
  if (rest === 0) return;
  context.lineWidth = 3;
  context.strokeStyle = colours.line;
  context.beginPath();
  context.arc(x, y, 7, 0, Math.PI * 2);
  context.stroke();
  context.strokeStyle = retryAfterMs ? colours.warn : colours.bad;
  context.beginPath();
  context.arc(x, y, 7, -Math.PI / 2, -Math.PI / 2 + Math.PI * 2 * rest);
  context.stroke();
}

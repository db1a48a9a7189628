// @ts-check
// A picture that is written pixel by pixel: thousands of small rectangles take a fraction of the time
// that a canvas needs for them.

export class Pixels {
  #image;
  #words;

  /** @param {number} width @param {number} height */
  constructor(width, height) {
    this.#image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.#words = new Uint32Array(this.#image.data.buffer);
  }

  clear() {
    this.#words.fill(0);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {number} colour see {@link pixelOf} */
  fillRect(x, y, width, height, colour) {
    const { width: stride, height: rows } = this.#image;
    const left = Math.max(0, Math.round(x));
    const right = Math.min(stride, Math.round(x + width));
    const bottom = Math.min(rows, Math.round(y + height));
    if (left >= right) return;
    for (let row = Math.max(0, Math.round(y)); row < bottom; row++) {
      this.#words.fill(colour, row * stride + left, row * stride + right);
    }
  }

  /** Puts the picture into the place of all that was there. @param {CanvasRenderingContext2D} context */
  show(context) {
    context.putImageData(this.#image, 0, 0);
  }
}

const sample = /** @type {CanvasRenderingContext2D} */ (
  document.createElement("canvas").getContext("2d", { willReadFrequently: true })
);
/** @type {Map<string, number>} */
const samples = new Map();

/** The pixel of a colour of CSS. @param {string} colour */
export function pixelOf(colour) {
  const known = samples.get(colour);
  if (known !== undefined) return known;
  sample.fillStyle = colour;
  sample.fillRect(0, 0, 1, 1);
  const pixel = new Uint32Array(sample.getImageData(0, 0, 1, 1).data.buffer)[0] ?? 0;
  samples.set(colour, pixel);
  return pixel;
}

import { byteLength } from "./bytes.js";
import { type RawExports, rawExports } from "./core.js";
import { utf8Encoder } from "./utf8.js";

/**
 * The buffer in wasm memory that events come in through. There is one for all buses, and nothing
 * stays in it between two calls.
 */
export class Scratch {
  readonly raw: RawExports;
  readonly #encoder = utf8Encoder();
  #bytes = new Uint8Array(0);
  #lengths = new Uint32Array(0);

  constructor(raw: RawExports) {
    this.raw = raw;
  }

  /** How many bytes fit before the buffer must grow. */
  get length(): number {
    return this.#view().length;
  }

  /**
   * Writes `text` as UTF-8 at `offset`. Returns how many bytes it has, or -1 if `max` bytes do not
   * hold it all.
   */
  writeText(text: string, offset: number, max: number): number {
    const end = Math.min(offset + max, offset + text.length * 3);
    let view = this.#view();
    // Most text is ASCII: try the room there is before making room for the worst case.
    if (end > view.length && offset + text.length > view.length) view = this.#reserve(end);
    const encoder = this.#encoder;
    let { read, written } = encoder.encodeInto(text, offset === 0 ? view : view.subarray(offset));
    if (read < text.length && end > view.length) {
      ({ read, written } = encoder.encodeInto(text, this.#reserve(end).subarray(offset)));
    }
    return read < text.length || written > max ? -1 : written;
  }

  /**
   * Writes texts that are all ASCII one after another at `offset`, given their concatenation.
   * Returns false, with no harm done, if it is not all ASCII.
   */
  writeAscii(text: string, offset: number): boolean {
    const view = this.#view();
    const to = offset === 0 ? view : view.subarray(offset);
    const { read, written } = this.#encoder.encodeInto(text, to);
    return read === text.length && written === text.length;
  }

  /** Writes bytes at the beginning. Returns how many, or -1 if they are more than `max`. */
  writeBytes(bytes: Uint8Array, max: number): number {
    const length = byteLength(bytes);
    if (length > max) return -1;
    const view = length > this.length ? this.#reserve(length) : this.#view();
    // Bytes whose buffer was transferred have none, and cannot even be copied.
    if (length > 0) view.set(bytes);
    return length;
  }

  /** The table of lengths. */
  lengths(): Uint32Array {
    const { raw } = this;
    const buffer = raw.memory.buffer as ArrayBuffer;
    if (this.#lengths.buffer !== buffer) {
      this.#lengths = new Uint32Array(buffer, raw.lengths_ptr(), raw.lengths_len());
    }
    return this.#lengths;
  }

  /**
   * The buffer, looked at anew if the memory has grown since: then the memory is another
   * `ArrayBuffer`, and what `encodeInto` writes into the old one is lost without a word. That one is
   * detached in WebAssembly, but not in JavaScript.
   */
  #view(): Uint8Array<ArrayBuffer> {
    const { raw } = this;
    const buffer = raw.memory.buffer as ArrayBuffer;
    if (this.#bytes.buffer !== buffer) {
      this.#bytes = new Uint8Array(buffer, raw.scratch_ptr(), raw.scratch_len());
    }
    return this.#bytes;
  }

  #reserve(length: number): Uint8Array<ArrayBuffer> {
    if (this.raw.reserve(length) === 0) throw new RangeError("WebAssembly memory is exhausted");
    // The buffer may have moved within memory that did not grow.
    this.#bytes = new Uint8Array(0);
    return this.#view();
  }
}

let scratch: Scratch | undefined;

/** The scratch of the loaded module. */
export function sharedScratch(): Scratch {
  const raw = rawExports();
  scratch ??= new Scratch(raw);
  return scratch;
}

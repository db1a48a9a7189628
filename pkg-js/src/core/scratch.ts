import { byteLength } from "../util/is-bytes.js";
import { utf8Encoder } from "../util/utf8.js";
import { type CoreExports, coreExports } from "./module.js";

/** A text, or bytes, longer than the limit. */
const TOO_LONG = -1;
/** There is no memory to write it to. */
export const NO_MEMORY = -2;

/**
 * The buffer in wasm memory that events come in through. There is one for all buses, and nothing
 * stays in it between two calls.
 */
export class Scratch {
  readonly raw: CoreExports;
  readonly #encoder = utf8Encoder();
  /** Counts the looks of buses at the room in memory, which they take when they have changed it. */
  looks = 0;
  #bytes = new Uint8Array(0);
  #lengths = new Uint32Array(0);

  constructor(raw: CoreExports) {
    this.raw = raw;
  }

  /** The number of bytes that fit before the buffer must grow. */
  get length(): number {
    return this.#view().length;
  }

  /**
   * Writes `text` as UTF-8 at `offset`. Returns how many bytes it has, {@linkcode TOO_LONG} if `max`
   * bytes do not hold it all, or {@linkcode NO_MEMORY}.
   */
  writeText(text: string, offset: number, max: number): number {
    const end = Math.min(offset + max, offset + text.length * 3);
    let view = this.#view();
    // Most text is ASCII: try the room there is before making room for the worst case.
    if (end > view.length && offset + text.length > view.length) {
      if (text.length > max) return TOO_LONG;
      if (!this.#reserve(end)) return NO_MEMORY;
      view = this.#view();
    }
    const encoder = this.#encoder;
    let { read, written } = encoder.encodeInto(text, offset === 0 ? view : view.subarray(offset));
    if (read < text.length && end > view.length) {
      if (!this.#reserve(end)) return NO_MEMORY;
      ({ read, written } = encoder.encodeInto(text, this.#view().subarray(offset)));
    }
    return read < text.length || written > max ? TOO_LONG : written;
  }

  /**
   * Writes bytes, or texts that are all ASCII, one after another at `offset`, given their concatenation.
   * Returns false, with no harm done, if a text is not all ASCII.
   */
  writeNarrow(text: string | Uint8Array, offset: number): boolean {
    const view = this.#view();
    if (typeof text !== "string") {
      view.set(text, offset);
      return true;
    }
    const to = offset === 0 ? view : view.subarray(offset);
    const { read, written } = this.#encoder.encodeInto(text, to);
    return read === text.length && written === text.length;
  }

  /** Writes a character before each of the texts at the beginning, which have these lengths. */
  writeBeforeEach(lengths: Uint32Array, count: number, char: number): void {
    const view = this.#view();
    let at = 0;
    for (let i = 0; i < count; i++) {
      view[at] = char;
      at += (lengths[i] as number) + 1;
    }
  }

  /**
   * Writes bytes at the beginning. Returns how many, {@linkcode TOO_LONG} if they are more than `max`,
   * or {@linkcode NO_MEMORY}.
   */
  writeBytes(bytes: Uint8Array, max: number): number {
    const length = byteLength(bytes);
    if (length > max) return TOO_LONG;
    if (length > this.length && !this.#reserve(length)) return NO_MEMORY;
    // Bytes whose buffer was transferred have none, and cannot even be copied.
    if (length > 0) this.#view().set(bytes);
    return length;
  }

  /** The table of lengths. */
  lengths(): Uint32Array {
    const { raw } = this;
    const buffer = raw.memory.buffer as ArrayBuffer;
    if (this.#lengths.buffer !== buffer) {
      this.#lengths = new Uint32Array(buffer, raw.lengths_ptr() >>> 0, raw.lengths_len());
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
      this.#bytes = new Uint8Array(buffer, raw.scratch_ptr() >>> 0, raw.scratch_len() >>> 0);
    }
    return this.#bytes;
  }

  /** Makes the buffer so long. Returns whether there was memory for it. */
  #reserve(length: number): boolean {
    // The buffer may move within memory that does not grow.
    this.#bytes = new Uint8Array(0);
    return this.raw.reserve(length) === 1;
  }
}

let scratch: Scratch | undefined;

/** The scratch of the loaded module. */
export function sharedScratch(): Scratch {
  const raw = coreExports();
  scratch ??= new Scratch(raw);
  return scratch;
}

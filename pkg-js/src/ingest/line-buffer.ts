const NEWLINE = 10;

/** A newline in each byte of a word, and the lowest and the highest bit of each. */
const NEWLINES = 0x0a0a0a0a;
const LOWEST = 0x01010101;
const HIGHEST = 0x80808080;

/** Bytes of a word. */
const WORD = 4;

/** Events as bytes, one after another, with a separator before each. */
export class LineBuffer {
  readonly #size: number;
  readonly #separator: number;
  /** Made for the first event: most programs have none that are bytes. */
  #bytes = new Uint8Array(0);
  /** The same bytes, some at a time. */
  #words = new Int32Array(0);

  /** A buffer of so many bytes, a multiple of 4. */
  constructor(size: number, separator: number) {
    this.#size = size;
    this.#separator = separator;
  }

  /**
   * Writes a separator and an event of this length, which must have room, at `offset`. Returns false
   * if the event would break a body: if newlines separate events, and it has one.
   */
  write(event: Uint8Array, length: number, offset: number): boolean {
    if (this.#bytes.length === 0) {
      this.#bytes = new Uint8Array(this.#size + WORD);
      this.#words = new Int32Array(this.#bytes.buffer);
    }
    const bytes = this.#bytes;
    const start = offset + 1;
    const end = start + length;
    bytes.set(event, start);
    if (this.#separator === NEWLINE) {
      // Words reach beyond the event.
      bytes[offset] = 0;
      bytes[end] = 0;
      bytes[end + 1] = 0;
      bytes[end + 2] = 0;
      if (this.#mayHaveNewline(start, end) && bytes.subarray(start, end).includes(NEWLINE)) {
        return false;
      }
    }
    bytes[offset] = this.#separator;
    return true;
  }

  /** The first bytes, until others are written. */
  first(length: number): Uint8Array {
    return this.#bytes.subarray(0, length);
  }

  /**
   * Returns true if there is a newline in the words that hold these bytes. To ask the engine for one
   * costs more than a short event.
   */
  #mayHaveNewline(start: number, end: number): boolean {
    const words = this.#words;
    const last = (end + WORD - 1) >> 2;
    let found = 0;
    for (let i = start >> 2; i < last; i++) {
      const word = (words[i] as number) ^ NEWLINES;
      // Only a byte that is 0 borrows into its highest bit while that is not set.
      found |= ((word - LOWEST) | 0) & ~word;
    }
    return (found & HIGHEST) !== 0;
  }
}

import { utf8Encoder } from "../internal.js";

/** The wire types of protobuf. */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Most bytes of a character in UTF-8, for each of its UTF-16 units. */
const BYTES_A_UNIT = 3;

/** Texts up to this length are copied here: a call of the encoder costs more. */
const SHORT = 32;

/** Writes protobuf into a buffer that grows. */
export class ProtobufWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The written bytes, until the next call. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  reset(): void {
    this.#at = 0;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  /** A whole number from 0 on. */
  varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  #tag(field: number, type: number): void {
    const tag = field * 8 + type;
    if (tag >= 0x80) this.varint(tag);
    else {
      this.#reserve(1);
      this.#bytes[this.#at++] = tag;
    }
  }

  uint(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.varint(value);
  }

  /** An integer, which may be negative: as 64 bits in two's complement. */
  int64(field: number, value: number): void {
    this.#tag(field, VARINT);
    if (value >= 0) this.varint(value);
    else {
      this.#reserve(10);
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 0x80n; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      this.#bytes[this.#at++] = Number(rest);
    }
  }

  fixed32(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  double(field: number, value: number): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Nanoseconds since the epoch. */
  time(field: number, [seconds, nanos]: readonly [number, number]): void {
    this.#tag(field, FIXED64);
    this.#reserve(8);
    // In two halves of the seconds, so that every product is a safe integer.
    const low = (seconds % 0x10000) * 1e9 + nanos;
    const high = Math.floor(seconds / 0x10000) * 1e9;
    const middle = (high % 0x10000) * 0x10000 + low;
    this.#view.setUint32(this.#at, middle % 0x1_0000_0000, true);
    const upper = Math.floor(high / 0x10000) + Math.floor(middle / 0x1_0000_0000);
    this.#view.setUint32(this.#at + 4, upper, true);
    this.#at += 8;
  }

  delimited(field: number, bytes: Uint8Array): void {
    this.#tag(field, DELIMITED);
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Bytes from hexadecimal digits. */
  hex(field: number, digits: string): void {
    this.#tag(field, DELIMITED);
    const length = digits.length >> 1;
    this.varint(length);
    this.#reserve(length);
    for (let i = 0; i < length; i++) {
      const byte = (nibble(digits.charCodeAt(2 * i)) << 4) | nibble(digits.charCodeAt(2 * i + 1));
      this.#bytes[this.#at++] = byte;
    }
  }

  text(field: number, text: string): void {
    this.#tag(field, DELIMITED);
    const start = this.begin();
    this.#reserve(text.length * BYTES_A_UNIT);
    if (!this.#copyAscii(text)) {
      const { written } = utf8Encoder().encodeInto(text, this.#bytes.subarray(this.#at));
      this.#at += written;
    }
    this.end(start);
  }

  /** Copies a short text of ASCII. */
  #copyAscii(text: string): boolean {
    if (text.length > SHORT) return false;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return false;
      this.#bytes[this.#at + i] = unit;
    }
    this.#at += text.length;
    return true;
  }

  /** Begins a message as a field; `end` ends it. */
  beginMessage(field: number): number {
    this.#tag(field, DELIMITED);
    return this.begin();
  }

  /** Writes a message as a field. */
  message(field: number, write: () => void): void {
    const start = this.beginMessage(field);
    write();
    this.end(start);
  }

  /** Begins bytes whose length is not known yet. */
  begin(): number {
    this.#reserve(1);
    // Room for a length of one byte, which is enough for most.
    return ++this.#at;
  }

  /** Ends the bytes that began at `start`, and writes their length before them. */
  end(start: number): void {
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    let more = 1;
    for (let rest = length >>> 14; rest > 0; rest >>>= 7) more++;
    this.#reserve(more);
    this.#bytes.copyWithin(start + more, start, this.#at);
    this.#at = start - 1;
    this.varint(length);
    this.#at += length;
  }
}

function nibble(unit: number): number {
  // "0" to "9", and letters of either case.
  return unit <= 0x39 ? unit & 0xf : (unit & 0xf) + 9;
}

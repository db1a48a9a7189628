import inflate from "tiny-inflate";
import { builtin } from "./builtin.js";

interface Zlib {
  inflateRawSync(bytes: Uint8Array): Uint8Array<ArrayBuffer>;
}

interface Buffers {
  readonly Buffer: { from(text: string, encoding: "base64"): Uint8Array };
}

/** What base64 of raw deflate stands for: `length` bytes. */
export function unpack(base64: string, length: number): Uint8Array<ArrayBuffer> {
  // In a tenth of the time, where they are.
  const zlib = builtin<Zlib>("node:zlib");
  const buffers = builtin<Buffers>("node:buffer");
  if (zlib !== undefined && buffers !== undefined) {
    return zlib.inflateRawSync(buffers.Buffer.from(base64, "base64"));
  }
  // A loop over `atob`: `Uint8Array.from` with a callback takes 20 times as long.
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return inflate(bytes, new Uint8Array(length));
}

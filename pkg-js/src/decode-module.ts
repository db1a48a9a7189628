import { fromBase64, nodeBuiltin } from "./internal.js";
import { inflate } from "./tiny-inflate.js";

interface Zlib {
  inflateRawSync(bytes: Uint8Array, options: { chunkSize: number }): Uint8Array<ArrayBuffer>;
}

/** Decodes base64 of raw deflate into `length` bytes. */
export function inflateModule(base64: string, length: number): Uint8Array<ArrayBuffer> {
  const deflated = fromBase64(base64);
  // In a tenth of the time, where it is.
  const zlib = nodeBuiltin<Zlib>("node:zlib");
  if (zlib !== undefined) return zlib.inflateRawSync(deflated, { chunkSize: length });
  return inflate(deflated, new Uint8Array(length));
}

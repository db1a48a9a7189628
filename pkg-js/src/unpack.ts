import inflate from "tiny-inflate";

/** The part of Node's modules that is used where they are, as in Deno and Bun. */
interface BuiltIns {
  getBuiltinModule?(name: "node:zlib"): { inflateRawSync(bytes: Uint8Array): Uint8Array };
}

/** What base64 of raw deflate stands for: `length` bytes. */
export function unpack(base64: string, length: number): Uint8Array<ArrayBuffer> {
  // A loop over `atob`: `Uint8Array.from` with a callback takes 20 times as long.
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  // Where it is to be had without an import, in a tenth of the time.
  const { process } = globalThis as unknown as { process?: BuiltIns };
  const zlib = process?.getBuiltinModule?.("node:zlib");
  if (zlib !== undefined) return zlib.inflateRawSync(bytes) as Uint8Array<ArrayBuffer>;
  return inflate(bytes, new Uint8Array(length));
}

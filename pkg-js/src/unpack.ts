import inflate from "tiny-inflate";

/** What base64 of raw deflate stands for: `length` bytes. */
export function unpack(base64: string, length: number): Uint8Array<ArrayBuffer> {
  // A loop over `atob`: `Uint8Array.from` with a callback takes 20 times as long.
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return inflate(bytes, new Uint8Array(length));
}

/** The package `tiny-inflate`. The build puts it here, and runs it when it is called for. */
declare function require(
  name: "tiny-inflate",
): (compressed: Uint8Array, target: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;

/** Inflates raw deflate into bytes that are exactly as many. */
export function inflate(
  compressed: Uint8Array,
  target: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  // Not imported, because it makes tables at once, and most runtimes have something faster.
  return require("tiny-inflate")(compressed, target);
}

/** Writes what `source` (raw deflate) stands for into `target`, and returns it. */
declare module "tiny-inflate" {
  export default function inflate(source: Uint8Array, target: Uint8Array): Uint8Array<ArrayBuffer>;
}

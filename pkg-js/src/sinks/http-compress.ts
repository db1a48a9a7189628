import { isPage } from "../internal.js";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Compresses a body. Gives nothing, at once or when it turns out so, if there is no time for it: a
 * page that goes may be gone before the body is compressed.
 */
export type Compressor = (body: Bytes) => Promise<Bytes | undefined> | undefined;

/** Makes the compressor; it watches the page, if this is one, from now on. */
export function makeCompressor(): Compressor {
  if (typeof CompressionStream !== "function") return () => undefined;
  if (!isPage()) return gzip;
  let isLeft = false;
  const waiting = new Set<() => void>();
  // First of all listeners. WebKit says that a page is left, and not that it is hidden then.
  for (const type of ["visibilitychange", "pagehide", "pageshow"]) {
    addEventListener(
      type,
      () => {
        isLeft = type === "pagehide";
        if (isLeft || isHidden()) for (const resolve of waiting) resolve();
      },
      { capture: true },
    );
  }
  return (body) => {
    if (isLeft || isHidden()) return undefined;
    let onGoing = () => {};
    const going = new Promise<undefined>((resolve) => {
      onGoing = () => resolve(undefined);
    });
    waiting.add(onGoing);
    // Promises that follow the end of either run before the event ends, while the page is still
    // there.
    return Promise.race([gzip(body), going]).finally(() => waiting.delete(onGoing));
  };
}

const isHidden = (): boolean => document.visibilityState === "hidden";

async function gzip(body: Bytes): Promise<Bytes> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Whether bodies can be compressed now: a page that is hidden may be gone before one is. */
export const canCompress = (): boolean =>
  typeof CompressionStream === "function" &&
  !(typeof document === "object" && document.visibilityState === "hidden");

/** The body, compressed; nothing if the page begins to go before it is. */
export async function compress(
  body: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const compressed = gzip(body);
  if (typeof document !== "object") return compressed;
  let onHidden = () => {};
  const hidden = new Promise<undefined>((resolve) => {
    onHidden = () => resolve(undefined);
  });
  // What goes on from here does so before the event ends, when the page is still there.
  document.addEventListener("visibilitychange", onHidden);
  try {
    return await Promise.race([compressed, hidden]);
  } finally {
    document.removeEventListener("visibilitychange", onHidden);
  }
}

async function gzip(body: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Most bytes that are read of an answer. */
const MAX_BYTES = 64 << 10;

/** The longest time for reading an answer, in milliseconds: short beside the usual `timeoutMs`. */
const MAX_MS = 250;

/**
 * Reads the rest of an answer, so that its connection can be used again: a little of it, and
 * briefly, because a receiver may answer without end. Then it is cancelled. Never rejects: the
 * answer is judged already.
 */
export async function finishAnswer({ body }: Response): Promise<void> {
  if (!body || body.locked) return;
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, MAX_MS);
  });
  await Promise.race([skipSome(reader), late]).catch(() => {});
  clearTimeout(timer);
  reader.cancel().catch(() => {});
}

async function skipSome(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  let bytes = 0;
  while (bytes < MAX_BYTES) {
    const { done, value } = await reader.read();
    if (done) return;
    bytes += value.length;
  }
}

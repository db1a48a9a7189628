import type { Batch } from "../batch.js";
import type { Signal } from "../util/platform.js";

/** The limits of a call. */
export interface PartLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** The end of the part that begins with `start`: as many entries of these sizes as fit, or one. */
export function endOfPart(
  sizes: readonly number[],
  start: number,
  { maxCount, maxBytes }: PartLimits,
): number {
  let end = start;
  let bytes = 0;
  while (end < sizes.length && end - start < maxCount) {
    bytes += sizes[end] as number;
    if (end > start && bytes > maxBytes) break;
    end++;
  }
  return end;
}

/**
 * A function that sends a batch in parts, one after the other. If one fails, the next attempt begins
 * with it.
 */
export function partSender(limits: PartLimits) {
  /** The part of each shard's batch that was sent. */
  const begun = new Map<number, { id: string; sent: number }>();
  return async (
    { id, shard }: Batch,
    sizes: readonly number[],
    signal: Signal,
    send: (start: number, end: number) => Promise<unknown>,
  ): Promise<void> => {
    const before = begun.get(shard);
    let sent = before?.id === id ? Math.min(before.sent, sizes.length) : 0;
    while (sent < sizes.length) {
      signal.throwIfAborted();
      const end = endOfPart(sizes, sent, limits);
      await send(sent, end);
      sent = end;
      begun.set(shard, { id, sent });
    }
    begun.delete(shard);
  };
}

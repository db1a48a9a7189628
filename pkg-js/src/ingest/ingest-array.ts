import { holdsUnwritten, isError } from "./json-forms.js";
import type { EventRun } from "./staging-buffer.js";

/** Events that are serialised together, at most; at first it is not known how long they are. */
const MAX_EVENTS = 256;
const FIRST_EVENTS = 16;

/** Characters that events which are serialised together should have: they fit into the scratch. */
const CHARS = 32 << 10;

/** Stands before each event, as a string of its own: a character that events seldom have. */
const MARK = "\x7f";

/** The length of the text before each event as JSON: a bracket or a comma, the mark, a comma. */
const GAP = `["${MARK}",`.length;

/** Brings events into a bus. */
export interface ArrayTarget<T> {
  /** Offers one event. Returns whether it was accepted. */
  offer(event: T): boolean;
  /** Offers events. Returns how many were accepted. */
  stageMany(events: EventRun): number;
}

/** True if iterating over it only reads one element after another. */
export function isPlainArray<T>(events: Iterable<T>): events is readonly T[] {
  return Array.isArray(events) && events[Symbol.iterator] === Array.prototype[Symbol.iterator];
}

/**
 * Offers all events, in order. Returns how many were accepted, and how many were not. To serialise
 * some at a time costs less than one by one.
 */
export function ingestArray<T>(
  events: readonly T[],
  target: ArrayTarget<T>,
): { accepted: number; rejected: number } {
  let accepted = 0;
  let start = 0;
  let limit = FIRST_EVENTS;
  /** A mark before each event. */
  let marked: (T | string)[] = [];
  const offer = (event: T) => {
    if (target.offer(event)) accepted++;
  };
  const stageMany = () => {
    const list = marked;
    marked = [];
    const together = list.length > 2 ? serialize(list) : undefined;
    if (together === undefined) {
      for (let i = 1; i < list.length; i += 2) offer(list[i] as T);
      return;
    }
    accepted += target.stageMany(together);
    // Long events gain nothing: for them one is enough.
    const fitting = Math.floor((CHARS * together.count) / together.text.length);
    limit = Math.min(Math.max(fitting, 1), MAX_EVENTS);
  };
  try {
    // As an iterator would, this looks at the length each time.
    while (start < events.length) {
      const event = events[start] as T;
      start++;
      if (isPlain(event)) {
        if (marked.push(MARK, event) >= 2 * limit) stageMany();
      } else {
        stageMany();
        offer(event);
      }
    }
  } finally {
    // Also when an element cannot be read: the elements before it are offered all the same.
    stageMany();
  }
  return { accepted, rejected: start - accepted };
}

/** True if an event is written the same alone and in an array, as far as that is up to itself. */
function isPlain(event: unknown): boolean {
  if (typeof event !== "object") {
    return event !== undefined && typeof event !== "function" && typeof event !== "symbol";
  }
  try {
    if (event === null) return true;
    return typeof (event as { toJSON?: unknown }).toJSON !== "function" && !isError(event);
  } catch {
    return false;
  }
}

const lengths = new Uint32Array(MAX_EVENTS);

/** Returns `undefined` if the events have to be serialised one by one. */
function serialize(marked: readonly unknown[]): EventRun | undefined {
  // Then arrays are not written as usual.
  if ("toJSON" in marked) return undefined;
  let text: string;
  try {
    text = JSON.stringify(marked);
  } catch {
    return undefined;
  }
  const count = marked.length / 2;
  if (!measure(text, count) || (!areFlat(text, count) && holdsUnwritten(marked))) return undefined;
  return { text, gap: GAP, lengths, count };
}

/** Tells by the texts that no event is or has an object that would have to be looked into. */
function areFlat(text: string, count: number): boolean {
  let start = GAP;
  let brace = 0;
  for (let i = 0; i < count; i++) {
    const length = lengths[i] as number;
    // Only once it is passed, so that the text is searched once.
    if (brace >= 0 && brace <= start) brace = text.indexOf("{", start + 1);
    if (length === "{}".length || (brace >= 0 && brace < start + length)) return false;
    start += length + GAP;
  }
  return true;
}

/**
 * Writes the lengths of the events. Returns whether they can be told apart: if there are no more
 * marks than events, then none is in an event.
 */
function measure(text: string, count: number): boolean {
  let found = 0;
  let start = GAP;
  for (let at = text.indexOf(MARK, start); at >= 0; at = text.indexOf(MARK, start)) {
    lengths[found++] = at - 2 - start;
    if (found === count) return false;
    start = at + 3;
  }
  lengths[found++] = text.length - 1 - start;
  return found === count;
}

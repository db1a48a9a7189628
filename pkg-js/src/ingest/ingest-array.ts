import { holdsUnwritten, isError } from "./json-forms.js";
import type { EventRun } from "./staging-buffer.js";

/** Events that are serialised together, at most; at first it is not known how long they are. */
const MAX_EVENTS = 512;
export const FIRST_EVENTS = 16;

/** Characters that events which are serialised together should have: they fit into the scratch. */
const CHARS = 40 << 10;

/**
 * Stands before each event where not all are flat, as a string of its own: a character that events
 * seldom have.
 */
const MARK = "\x7f";

/** The length of the text before each marked event as JSON: a bracket or a comma, the mark, a comma. */
const MARKED_GAP = `["${MARK}",`.length;

/** Characters of JSON. */
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Events that were serialised together. */
interface Serialized extends EventRun {
  /** True if they are objects without objects in them. */
  readonly isFlat: boolean;
}

/** Brings events into a bus. */
export interface ArrayTarget<T> {
  /** Offers one event. Returns whether it was accepted. */
  offer(event: T): boolean;
  /** Offers events. Returns how many were accepted. */
  stageMany(events: EventRun): number;
  /** How many events should be serialised together, going by the last ones. */
  limit: number;
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
  let isMarked = false;
  let list: T[] = [];
  const offer = (event: T) => {
    if (target.offer(event)) accepted++;
  };
  const stageMany = () => {
    const some = list;
    list = [];
    const together = some.length > 1 ? serialize(some, isMarked) : undefined;
    // Marks are found faster than the ends of events that have objects in them.
    isMarked ||= together?.isFlat === false;
    if (together === undefined) {
      some.forEach(offer);
      return;
    }
    accepted += target.stageMany(together);
    // Long events gain nothing: for them one is enough.
    const fitting = Math.floor((CHARS * together.count) / together.text.length);
    target.limit = Math.min(Math.max(fitting, 1), MAX_EVENTS);
  };
  try {
    // As an iterator would, this looks at the length each time.
    while (start < events.length) {
      const event = events[start] as T;
      start++;
      if (isPlain(event)) {
        if (list.push(event) >= target.limit) stageMany();
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
/** True while the measured events are looked into. Code of their own may offer others meanwhile. */
let isLooking = false;

/** The array as JSON; `undefined` if it cannot be written, or is not written as usual. */
function stringify(list: readonly unknown[]): string | undefined {
  if ("toJSON" in list) return undefined;
  try {
    return JSON.stringify(list);
  } catch {
    return undefined;
  }
}

/** Tells whether events have errors or collections in them, or throw when they are looked into. */
function holdsUnusual(list: readonly unknown[]): boolean {
  isLooking = true;
  try {
    return holdsUnwritten(list);
  } catch {
    return true;
  } finally {
    isLooking = false;
  }
}

/** Returns `undefined` if the events have to be serialised one by one. */
function serialize(list: readonly unknown[], isMarked: boolean): Serialized | undefined {
  if (isLooking) return undefined;
  const text = stringify(isMarked ? list.flatMap((event) => [MARK, event]) : list);
  if (text === undefined) return undefined;
  const count = list.length;
  if (!isMarked && measureFlat(text, count)) {
    return { text, gap: 1, lengths, count, isArray: true, isFlat: true };
  }
  const gap = isMarked ? MARKED_GAP : 1;
  if (!isMarked) measure(text);
  else if (!measureMarked(text, count)) return undefined;
  if (!haveNoObjects(text, gap, count) && holdsUnusual(list)) return undefined;
  return { text, gap, lengths, count, isArray: !isMarked, isFlat: false };
}

/** Tells by the texts that no event is or has an object that would have to be looked into. */
function haveNoObjects(text: string, gap: number, count: number): boolean {
  let start = gap;
  let brace = 0;
  for (let i = 0; i < count; i++) {
    const length = lengths[i] as number;
    // Only once it is passed, so that the text is searched once.
    if (brace >= 0 && brace <= start) brace = text.indexOf("{", start + 1);
    if (length === "{}".length || (brace >= 0 && brace < start + length)) return false;
    start += length + gap;
  }
  return true;
}

/**
 * Writes the lengths of the events. Returns whether they are flat objects that hold something. If the
 * text has no more opening braces than events, and each stands where an event ends before it, then all
 * events are objects, and none has another brace.
 */
function measureFlat(text: string, count: number): boolean {
  if (text.charCodeAt(1) !== OPEN || text.charCodeAt(text.length - 2) !== CLOSE) return false;
  let start = 1;
  for (let found = 0; found < count; found++) {
    const next = text.indexOf("{", start + 1);
    if (next < 0 ? found + 1 < count : text.charCodeAt(next - 2) !== CLOSE) return false;
    const length = (next < 0 ? text.length : next) - 1 - start;
    // It may be a collection, which JSON writes as if it were empty.
    if (length === "{}".length) return false;
    lengths[found] = length;
    start = next;
  }
  return start < 0;
}

/** Writes the lengths of events, whatever they are, by looking at each character. */
function measure(text: string): void {
  let found = 0;
  let start = 1;
  let depth = 0;
  let isInString = false;
  const end = text.length - 1;
  for (let at = 1; at < end; at++) {
    const char = text.charCodeAt(at);
    if (isInString) {
      if (char === BACKSLASH) at++;
      else if (char === QUOTE) isInString = false;
    } else if (char === QUOTE) isInString = true;
    else if (char === OPEN || char === OPEN_ARRAY) depth++;
    else if (char === CLOSE || char === CLOSE_ARRAY) depth--;
    else if (char === COMMA && depth === 0) {
      lengths[found++] = at - start;
      start = at + 1;
    }
  }
  lengths[found] = end - start;
}

/**
 * Writes the lengths of the events. Returns whether they can be told apart: if there are no more
 * marks than events, then none is in an event.
 */
function measureMarked(text: string, count: number): boolean {
  let found = 0;
  let start = MARKED_GAP;
  for (let at = text.indexOf(MARK, start); at >= 0; at = text.indexOf(MARK, start)) {
    lengths[found++] = at - 2 - start;
    if (found === count) return false;
    start = at + 3;
  }
  lengths[found++] = text.length - 1 - start;
  return found === count;
}

// Feeds a candidate with the same events, in turns of the event loop.

import { makeEvent, makeFreshEvent } from "../events.mjs";
import { nextTurn } from "./job.mjs";

/** The number of events in one turn of the event loop, unless a measurement says otherwise. */
const TURN = 1000;
/** The number of payloads that are made in advance: more than caches hold. */
const PAYLOADS = 20_000;

const encoder = new TextEncoder();

/**
 * Events in the form that a candidate takes. Strings and bytes are made here, outside the measured
 * time.
 *
 * @param {"object" | "text" | "bytes"} input
 * @param {"flat" | "fresh"} strings the strings of objects: see {@linkcode makeFreshEvent}
 */
export function source(input, strings = "flat") {
  if (input === "object") return strings === "fresh" ? makeFreshEvent : makeEvent;
  const texts = Array.from({ length: PAYLOADS }, (_, i) => JSON.stringify(makeEvent(i)));
  const payloads = input === "bytes" ? texts.map((text) => encoder.encode(text)) : texts;
  return (i) => payloads[i % PAYLOADS];
}

/** Feeds a turn's events, and lets the others have theirs. Returns the next event's number. */
export async function turn({ push }, event, first, events = TURN) {
  const end = first + events;
  for (let i = first; i < end; i++) push(event(i));
  await nextTurn();
  return end;
}

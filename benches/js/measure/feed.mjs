// What feeds a candidate: the same events, in turns of the event loop.

import { makeEvent } from "../events.mjs";
import { nextTurn } from "./job.mjs";

/** How many events come in one turn of the event loop. */
const TURN = 1000;
/** How many payloads there are where they are made in advance: more than caches hold. */
const PAYLOADS = 20_000;

const encoder = new TextEncoder();

/** Events in the form that a candidate takes. What is not an object is made here, at nobody's cost. */
export function source(input) {
  if (input === "object") return makeEvent;
  const texts = Array.from({ length: PAYLOADS }, (_, i) => JSON.stringify(makeEvent(i)));
  const payloads = input === "bytes" ? texts.map((text) => encoder.encode(text)) : texts;
  return (i) => payloads[i % PAYLOADS];
}

/** Feeds a turn's events, and lets the others have theirs. Returns the next event's number. */
export async function turn({ push }, event, first) {
  const end = first + TURN;
  for (let i = first; i < end; i++) push(event(i));
  await nextTurn();
  return end;
}

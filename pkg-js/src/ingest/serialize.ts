import { InvalidEventError } from "../errors/invalid-event-error.js";
import { holdsUnwritten, isError, written } from "./json-forms.js";

/** The event as JSON, on one line. Throws errors of `JSON.stringify` and of the event's own code. */
export function serialize(event: unknown): string {
  const text: string | undefined = JSON.stringify(event);
  // `JSON.stringify` has no text for these, and says so by returning undefined.
  if (text === undefined) {
    throw new InvalidEventError(
      `An event of type ${typeof event} has no JSON form; pass an object, array, string, number, boolean or null`,
    );
  }
  // Without a second brace there is no object in it that would have to be looked into.
  const isFlat = text !== "{}" && text.indexOf("{", 1) < 0 && !isError(event);
  return isFlat || !holdsUnwritten(event) ? text : JSON.stringify(event, written);
}

/** Throws unless the text can become UTF-8 without loss. */
export function validText(text: string): void {
  if (!isWellFormed(text)) {
    throw new InvalidEventError(
      "The text holds half of a surrogate pair, which UTF-8 cannot express; use `text.toWellFormed()`",
    );
  }
}

/** The key, or `undefined` for none. Throws if it is no key. */
export function validKey(key: unknown): string | undefined {
  if (key === undefined || key === null) return undefined;
  if (typeof key !== "string") {
    throw new InvalidEventError(`A key must be a string, and this one is of type ${typeof key}`);
  }
  validText(key);
  return key;
}

const isWellFormed: (text: string) => boolean =
  "isWellFormed" in String.prototype
    ? (text) => (text as string & { isWellFormed(): boolean }).isWellFormed()
    : (text) => !/[\uD800-\uDFFF]/u.test(text);

import { DeliveryError, messageOf, plain } from "../internal.js";

/** The verdict on an error of a binding; the platform has no codes for its errors, only texts. */
export function toVerdict(what: string, error: unknown): DeliveryError {
  const message = messageOf(error);
  const sentence = `${what}: ${plain(message)}`;
  if (/payload too large|exceeds/i.test(message)) return tooLarge(sentence, error);
  return new DeliveryError(sentence, { cause: error, unavailable: true });
}

/** A call that is too large: the batch is split. */
export function tooLarge(sentence: string, cause?: unknown): DeliveryError {
  return new DeliveryError(sentence, { tooLarge: true, cause });
}

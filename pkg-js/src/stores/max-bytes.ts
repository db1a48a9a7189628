import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { own } from "../util/own.js";

/** The option `maxBytes` of a store. */
export function maxBytesOf(options: unknown, byDefault: number): number {
  const isGroup = typeof options === "object" && options !== null && !(options instanceof URL);
  const given = isGroup ? own(options as { maxBytes?: unknown }, "maxBytes") : undefined;
  if (given === undefined) return byDefault;
  if (typeof given === "number" && given > 0) return given;
  throw new InvalidOptionError(
    "maxBytes",
    `\`maxBytes\` is ${String(given)}, but it must be a number above 0`,
  );
}

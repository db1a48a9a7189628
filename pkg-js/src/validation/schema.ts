import { InvalidOptionError } from "../errors/invalid-option-error.js";
import { isShardbusError } from "../errors/shardbus-error.js";
import { messageOf, show } from "../util/format-value.js";

/** The rule that a value breaks: "must be …"; nothing, if it breaks none. */
export type Check = (value: unknown) => string | undefined;

/** The options that there are. */
export type Schema = { readonly [name: string]: Check | Schema };

export const flag: Check = (value) =>
  typeof value === "boolean" ? undefined : "must be true or false";

export const callable: Check = (value) =>
  typeof value === "function" ? undefined : "must be a function";

/** Runs `read`; an error of a user's getter or proxy becomes an `InvalidOptionError`. */
export function guardGetters<R>(read: () => R): R {
  try {
    return read();
  } catch (cause) {
    if (isShardbusError(cause)) throw cause;
    const sentence = `The options cannot be read: ${messageOf(cause)}`;
    throw new InvalidOptionError("options", sentence, { cause });
  }
}

/**
 * Checks the names and values of a group of options, and copies it. The copy has no prototype: a
 * property of `Object.prototype` is nobody's option.
 *
 * @param hint what more to say of a name that is no option.
 */
export function validateObject(
  options: unknown,
  schema: Schema,
  path: string,
  hint?: (name: string, schema: Schema, path: string) => string,
): Record<string, unknown> {
  if (!isRecord(options)) {
    const name = path.slice(0, -1) || "options";
    throw new InvalidOptionError(name, `\`${name}\` is ${show(options)}, but it must be an object`);
  }
  const copy: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const rule = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (rule === undefined) {
      throw new InvalidOptionError(
        path + name,
        `\`${path}${name}\` is not an option${hint?.(name, schema, path) ?? ""}; there are ${Object.keys(schema).join(", ")}`,
      );
    }
    if (typeof rule === "object") {
      copy[name] = validateObject(value, rule, `${path}${name}.`, hint);
      continue;
    }
    const broken = rule(value);
    if (broken !== undefined) {
      throw new InvalidOptionError(
        path + name,
        `\`${path}${name}\` is ${show(value)}, but it ${broken}`,
      );
    }
    copy[name] = value;
  }
  return copy;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// JSON forms for objects that `JSON.stringify` writes as `{}` although they hold something: errors,
// whose properties are not enumerable, and collections such as Map and Headers.

/** The common shape of Map, Set, Headers, URLSearchParams and FormData. */
type Collection = Pick<Map<unknown, unknown>, "entries" | "values" | typeof Symbol.iterator>;

/** Tells errors, of whichever realm. */
export function isError(value: unknown): value is Error {
  try {
    if (typeof value !== "object" || value === null) return false;
    if (value instanceof Error) return true;
    // Most objects: asking for their tag costs more. Those of another realm are none of this one's.
    if (value instanceof Object) return false;
    return Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    // A proxy that does not answer.
    return false;
  }
}

/** Collections whose iterator is another function than `entries`, as in workerd. */
const NAMED = /^\[object (?:Headers|URLSearchParams|FormData)\]$/;

function isCollection(value: object): value is Collection {
  const iterator = (value as Partial<Collection>)[Symbol.iterator];
  if (typeof iterator !== "function" || Array.isArray(value)) return false;
  const { entries, values } = value as Partial<Map<unknown, unknown>>;
  const isNamed =
    iterator === entries ||
    iterator === values ||
    NAMED.test(Object.prototype.toString.call(value));
  return isNamed && !ArrayBuffer.isView(value) && Object.keys(value).length === 0;
}

/** Tells whether an event that JSON can hold has errors or collections in it. */
export function holdsUnwritten(event: unknown): boolean {
  // Not a recursion: an event may be as deep as the stack allows.
  const open = [event];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== "object" || value === null) continue;
    // It has chosen its form.
    if (typeof (value as { toJSON?: unknown }).toJSON === "function") continue;
    if (isError(value) || isCollection(value)) return true;
    for (const inner of Object.values(value)) {
      if (typeof inner === "object" && inner !== null) open.push(inner);
    }
  }
  return false;
}

/** A replacer for `JSON.stringify`. */
export function written(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (isError(value)) return writtenError(value);
  if (!isCollection(value)) return value;
  return value[Symbol.iterator] === value.values ? [...value] : byName(value);
}

function writtenError(error: Error): object {
  const { name, message, stack, cause, errors } = error as AggregateError;
  return Object.assign({ name, message, stack, cause, errors }, error);
}

/** A repeated name, as in FormData, gets the list of its values. */
function byName(collection: Collection): object {
  const lists = new Map<string, unknown[]>();
  for (const [key, value] of collection.entries()) {
    const name = String(key);
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [value]);
    else list.push(value);
  }
  return Object.fromEntries(
    [...lists].map(([name, list]) => [name, list.length === 1 ? list[0] : list]),
  );
}

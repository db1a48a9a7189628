// @ts-check
// Arbitrary values, hostile ones among them, for the tests that a call works or reports its error.
import fc from "fast-check";
import { isShardbusError } from "shardbus";
import { assert, share } from "./harness.mjs";

/** The seed of the runs that are always the same. */
const FIXED = 20_261_124;

/**
 * The seed of the others. Where there is no environment, the bundler writes it here: all runtimes of
 * one run have the same.
 */
const fresh = Number(process.env.SHARDBUS_SEED ?? Math.floor(Math.random() * 2 ** 31));

/**
 * Checks a property: half of the runs are the same every time, half have a new seed.
 * `SHARDBUS_SEED=N` repeats those.
 *
 * @template T
 * @param {fc.IRawProperty<T>} property
 * @param {number} runs
 * @param {Pick<fc.Parameters<T>, "reporter">} [options]
 */
export async function check(property, runs, options) {
  const numRuns = Math.ceil((runs * share) / 2);
  await fc.assert(property, { ...options, seed: FIXED, numRuns });
  try {
    await fc.assert(property, { ...options, seed: fresh, numRuns });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw new Error(`SHARDBUS_SEED=${fresh} repeats this: ${message}`, { cause: error });
  }
}

/**
 * Makes a value. A hostile value is made only where it is used: fast-check looks into the values
 * that it holds.
 *
 * @typedef {() => any} Maker
 */

/** @param {string} what @param {Maker} make @returns {Maker} */
const maker = (what, make) => Object.assign(() => make(), { [fc.toStringMethod]: () => what });

/** @template T @param {fc.Arbitrary<T>} arbitrary @returns {fc.Arbitrary<Maker>} */
export const made = (arbitrary) =>
  arbitrary.map((value) => maker(fc.stringify(value), () => value));

/** @param {Record<string, Maker>} makers @returns {fc.Arbitrary<Maker>} */
const oneOf = (makers) =>
  fc.constantFrom(...Object.entries(makers).map(([what, make]) => maker(what, make)));

/** A proxy that answers to nothing. */
function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** @param {Maker} error */
export const throwing = (error) => () => {
  throw error();
};

const anything = made(fc.anything({ withBigInt: true, withNullPrototype: true }));

/** Throwable values, some of which cannot even be inspected. */
export const throwables = fc.oneof(
  anything,
  anything.map((message) => () => Object.assign(new Error(), { message: message() })),
  oneOf({
    "a revoked proxy": revoked,
    "an error whose message throws": () =>
      Object.defineProperty(new Error(), "message", { get: throwing(() => 1) }),
    "a symbol": () => Symbol("thrown"),
  }),
);

/** Texts, with lone surrogates and newlines among them. */
export const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("\ud800", "\udfff", "\n", "\r", '"', "\\", "\0", "€", "😀", "{", "1"))
    .map((units) => units.join("")),
);

/** A cycle through a few objects. @param {string[]} names */
function cycle(names) {
  /** @type {any} */
  const start = {};
  let end = start;
  for (const name of names) {
    Object.defineProperty(end, name, { value: {}, enumerable: true });
    end = end[name];
  }
  end.start = start;
  return start;
}

/** An array in an array in an array. @param {number} depth */
function nested(depth) {
  /** @type {any} */
  let value = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** Values that JSON cannot hold, or that have code of their own. */
export const oddities = fc.oneof(
  oneOf({
    "a function": () => () => {},
    "a symbol": () => Symbol("s"),
    "an invalid date": () => new Date(Number.NaN),
    // With a stack that does not tell where it was made.
    "an error": () => Object.assign(new Error("x"), { stack: "Error: x" }),
    "a string object": () => new String("x"),
    "a deep array": () => nested(100),
    "a bottomless array": () => nested(100_000),
    "a revoked proxy": revoked,
  }),
  fc.uniqueArray(fc.string(), { maxLength: 4 }).map((names) => () => cycle(names)),
  throwables.map(
    (error) => () => Object.defineProperty({}, "x", { get: throwing(error), enumerable: true }),
  ),
  throwables.map((error) => () => ({ toJSON: throwing(error) })),
  anything.map((json) => () => ({ toJSON: json })),
  anything.map((toJSON) => () => ({ toJSON: toJSON() })),
  throwables.map((error) => () => new Proxy({}, { ownKeys: throwing(error) })),
  throwables.map((error) => () => new Proxy({}, { get: throwing(error) })),
  throwables.map((error) => () => new Proxy({}, { getPrototypeOf: throwing(error) })),
  anything.map((keys) => () => new Proxy({}, { ownKeys: keys })),
);

export const values = fc.oneof(
  made(fc.jsonValue({ stringUnit: "binary" })),
  made(fc.dictionary(texts, texts)),
  made(
    fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    }),
  ),
  oddities,
  oddities.map((odd) => () => ({ before: 1, odd: odd(), list: [odd(), "after"] })),
);

/** Bytes, and objects that pass themselves off as bytes. */
export const byteLike = fc.oneof(
  made(fc.uint8Array({ maxLength: 200 })),
  made(texts.map((text) => new TextEncoder().encode(text))),
  anything.map(
    (length) => () => Object.defineProperty(new Uint8Array(3), "length", { value: length() }),
  ),
  fc
    .integer({ min: -1, max: 5e9 })
    .map((length) => () => ({ [Symbol.toStringTag]: "Uint8Array", length })),
  oneOf({
    "a proxy of bytes": () => new Proxy(new Uint8Array(3), {}),
    "shorts that are called bytes": () =>
      Object.defineProperty(new Uint16Array(3), Symbol.toStringTag, { value: "Uint8Array" }),
    "bytes that are called shorts": () =>
      Object.defineProperty(new Uint8Array(3), Symbol.toStringTag, { value: "Uint16Array" }),
    "bytes that are gone": () => {
      const bytes = new Uint8Array(3);
      structuredClone(bytes, { transfer: [bytes.buffer] });
      return bytes;
    },
  }),
);

export const keys = fc.oneof(made(texts), anything, oddities);

/** Throws unless it is an error of this package, with a code and a sentence. @param {any} error */
function assertOurs(error) {
  if (!isShardbusError(error)) throw error;
  assert.match(error.code, /^ERR_[A-Z_]+$/);
  assert.notEqual(error.code, "ERR_POISONED");
  assert.match(error.message, /^[A-Z`].* .* /s, "is a sentence");
}

/**
 * The call's result; `undefined` if it throws an error that it may throw.
 *
 * @template R
 * @param {() => R} call
 */
export function tried(call) {
  try {
    return call();
  } catch (error) {
    assertOurs(error);
    return undefined;
  }
}

/** The same for a call that returns a promise. @param {() => Promise<unknown>} call */
export async function triedAsync(call) {
  try {
    return await call();
  } catch (error) {
    assertOurs(error);
    return undefined;
  }
}

// Brand checks by the engine's own getters: an own `length` can lie, and would send other bytes of
// the memory.

const prototype = Object.getPrototypeOf(Uint8Array.prototype);

const getter = (name: PropertyKey): (() => unknown) =>
  Object.getOwnPropertyDescriptor(prototype, name)?.get as () => unknown;

const nameOf = getter(Symbol.toStringTag);
const lengthOf = getter("length");

/** Tells a `Uint8Array`, of whichever realm: a test runner's sandbox has its own. */
export const isBytes = (value: unknown): value is Uint8Array => nameOf.call(value) === "Uint8Array";

export const byteLength = (bytes: Uint8Array): number => lengthOf.call(bytes) as number;

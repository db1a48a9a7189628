/**
 * An option that an object has itself: a property of `Object.prototype` is nobody's option.
 */
export function own<O extends object, K extends keyof O>(
  options: O | null | undefined,
  name: K,
): O[K] | undefined {
  return options != null && Object.hasOwn(options, name) ? options[name] : undefined;
}

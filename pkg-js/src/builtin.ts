/**
 * A module of Node's, where there is one: in Node, Deno, Bun and partly in Workers. Asked for and not
 * imported, because most bundles have no Node.
 */
export function builtin<M>(name: `node:${string}`): M | undefined {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => M | undefined };
  };
  try {
    return process?.getBuiltinModule?.(name);
  } catch {
    // Next.js has this function in its edge runtime only to say that it should not be used.
    return undefined;
  }
}

/**
 * A module of the runtime's own, where there is one: Node's in Node, Deno, Bun and partly in Workers,
 * and Cloudflare's in Workers that are compatible with Node. Asked for and not imported, because most
 * bundles have none.
 */
export function nodeBuiltin<M>(name: `${"node" | "cloudflare"}:${string}`): M | undefined {
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

// The request that runs now, in runtimes that tell without being handed its context.
import { nodeBuiltin } from "../util/node-builtin.js";
import type { RequestContext } from "./request-context.js";

type Holder = { readonly get?: () => RequestContext | undefined } | undefined;

/** The globals in which runtimes keep a request's context. */
interface Globals {
  readonly EdgeRuntime?: RequestContext | string;
  readonly Netlify?: { readonly context?: RequestContext | null };
  readonly Bunny?: { readonly v1?: RequestContext };
  readonly [key: symbol]: Holder;
}

/**
 * That request's context: on Vercel and in Next.js, on Netlify, Supabase and Bunny, and in Workers
 * with the flag `nodejs_compat`.
 */
export function ambientContext(): RequestContext | undefined {
  const globals = globalThis as unknown as Globals;
  const held = ["@next/request-context", "@vercel/request-context"].map((name) =>
    globals[Symbol.for(name)]?.get?.(),
  );
  // On Vercel, `EdgeRuntime` is a text.
  const all = [...held, globals.Netlify?.context, globals.EdgeRuntime, globals.Bunny?.v1];
  const found = all.find(
    (context): context is RequestContext =>
      typeof context === "object" && typeof context?.waitUntil === "function",
  );
  if (found !== undefined) return found;
  // One function for all requests, and not a context of each.
  const workers = nodeBuiltin<Partial<RequestContext>>("cloudflare:workers");
  return typeof workers?.waitUntil === "function"
    ? { waitUntil: (promise) => workers.waitUntil?.(promise) }
    : undefined;
}

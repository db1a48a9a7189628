// Gives each line of turns.mjs modules of its own: a module's query is passed on to its imports.

export async function resolve(specifier, context, next) {
  const { search } = new URL(context.parentURL ?? "file:///");
  const build = new URLSearchParams(search).get("build");
  const resolved = await next(specifier === "shardbus" && build ? build : specifier, context);
  const isOwn = specifier === "shardbus" || specifier.startsWith(".");
  return isOwn && search !== "" ? { ...resolved, url: resolved.url + search } : resolved;
}

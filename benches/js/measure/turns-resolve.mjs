// How turns.mjs gets modules of its own for each line: what a module is imported with, its imports
// have too.

export async function resolve(specifier, context, next) {
  const { search } = new URL(context.parentURL ?? "file:///");
  const build = new URLSearchParams(search).get("build");
  const resolved = await next(specifier === "shardbus" && build ? build : specifier, context);
  const isOwn = specifier === "shardbus" || specifier.startsWith(".");
  return isOwn && search !== "" ? { ...resolved, url: resolved.url + search } : resolved;
}

// How turns.mjs gets modules of its own for each line: what a module is imported with, its imports
// have too.

export async function resolve(specifier, context, next) {
  const search = new URL(context.parentURL ?? "file:///").search;
  const build = new URLSearchParams(search).get("build");
  if (search === "" || specifier.startsWith("node:")) return next(specifier, context);
  const resolved = await next(specifier === "shardbus" && build ? build : specifier, context);
  const isOwn = specifier.startsWith(".") || specifier.startsWith("shardbus");
  return isOwn && resolved.format === "module" && !new URL(resolved.url).search
    ? { ...resolved, url: resolved.url + search }
    : resolved;
}

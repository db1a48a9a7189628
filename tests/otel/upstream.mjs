// @ts-nocheck
// Runs upstream's suites for its batch processors: `node upstream.mjs ours`, or `theirs`. Both have
// the same packages, and differ in the processors alone.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const SUITES = join(HERE, "upstream");
// Within this folder, so that Node finds the packages.
const OUT = join(HERE, "node_modules", ".upstream");
const require = createRequire(import.meta.url);
const OURS = require.resolve("shardbus/opentelemetry");

/** Upstream reports errors to the handler of its core package, which ours gets as an option. */
const ours = (name) => `
  const { globalErrorHandler: onError } = require("@opentelemetry/core");
  const { ${name}: Ours } = require(${JSON.stringify(OURS)});
  class ${name} extends Ours {
    constructor(options) { super({ onError, bus: { onDrop() {} }, ...options }); }
  }
`;

/** The modules in place of upstream's, by their names within its packages. */
const REPLACED = {
  "sdk-trace/index": (theirs) =>
    `${ours("BatchSpanProcessor")} module.exports = { ...require(${theirs}), BatchSpanProcessor };`,
  "sdk-logs/export/BatchLogRecordProcessorBase": () =>
    `${ours("BatchLogRecordProcessor")} exports.BatchLogRecordProcessorBase = BatchLogRecordProcessor;`,
};

/** Leads imports of a package's sources to its published modules. */
function sources(whose, replaced) {
  const published = (name) => {
    const [owner, ...rest] = name.split("/");
    const [folder, extension] = owner === "sdk-trace-base" ? ["build/src", "js"] : ["dist", "cjs"];
    return join(
      HERE,
      "node_modules/@opentelemetry",
      owner,
      folder,
      `${rest.join("/")}.${extension}`,
    );
  };
  const moduleOf = (name) =>
    whose === "ours" && name in REPLACED
      ? { path: name, namespace: "replaced" }
      : { path: published(name), external: !name.startsWith("sdk-trace-base/") };
  return {
    name: "sources",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /\/src(\/|$)/ }, ({ path, resolveDir, importer }) => {
        if (!importer.startsWith(SUITES)) return undefined;
        const [owner, , ...rest] = relative(SUITES, join(resolveDir, path)).split(sep);
        return moduleOf([owner, ...(rest.length > 0 ? rest : ["index"])].join("/"));
      });
      // The older package makes its processor of the newer one's.
      onResolve({ filter: /^@opentelemetry\/sdk-trace$/ }, () => moduleOf("sdk-trace/index"));
      // Our entry becomes a part of the bundle, so that both have the same copy of the API.
      onResolve({ filter: /^[^.]/ }, ({ kind, path }) =>
        kind === "entry-point" || path === OURS ? undefined : { external: true },
      );
      onLoad({ filter: /./, namespace: "replaced" }, ({ path }) => {
        replaced.add(path);
        return { contents: REPLACED[path](JSON.stringify(published(path))), resolveDir: HERE };
      });
    },
  };
}

/**
 * Runs the suites. Resolves with mocha's report, and the modules that ours stood in for.
 *
 * @param {"ours" | "theirs"} whose
 * @returns {Promise<{
 *   passes: unknown[],
 *   failures: { fullTitle: string, err: Error }[],
 *   pending: unknown[],
 *   replaced: string[],
 * }>}
 */
export async function run(whose) {
  const replaced = new Set();
  const entryPoints = readdirSync(SUITES, { recursive: true })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join(SUITES, file));
  const outdir = join(OUT, whose);
  await build({
    entryPoints,
    outdir,
    outbase: SUITES,
    bundle: true,
    platform: "node",
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    sourcemap: "inline",
    logLevel: "warning",
    plugins: [sources(whose, replaced)],
  });
  const mocha = spawn(
    process.execPath,
    [
      require.resolve("mocha/bin/mocha.js"),
      "--no-config",
      "--reporter=json",
      "--exit",
      `${outdir}/**/*.test.cjs`,
    ],
    { cwd: HERE, stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  for await (const chunk of mocha.stdout.setEncoding("utf8")) text += chunk;
  // Programs may have printed before it.
  const report = JSON.parse(text.slice(text.indexOf('{\n  "stats"')));
  const { passes, failures, pending } = report;
  return { passes, failures, pending, replaced: [...replaced].sort() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { passes, failures, pending } = await run(process.argv[2] ?? "ours");
  for (const { fullTitle, err } of failures) console.log(`FAILED ${fullTitle}\n  ${err.stack}`);
  console.log(`${passes.length} passed, ${failures.length} failed, ${pending.length} skipped`);
}

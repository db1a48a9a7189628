// @ts-check

// Makes one script of a test file, for runtimes without `node:test` and without modules in
// `node_modules`.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const runner = fileURLToPath(new URL("runner.mjs", import.meta.url));

/** Variables of the environment that tests read, for runtimes without one. */
export const VARIABLES = ["SHARDBUS_SEED", "SHARDBUS_RUNS_SHARE"];

const environment = () =>
  Object.fromEntries(
    VARIABLES.map((name) => [`process.env.${name}`, JSON.stringify(process.env[name])]),
  );

/**
 * Makes of a test file a module that exports `run` of the runner. Returns the files, unless they are
 * written.
 *
 * @param {string} file its path in the repository
 * @param {string} outfile
 * @param {import("esbuild").BuildOptions} options
 */
export async function bundleTest(file, outfile, options) {
  const { warnings, outputFiles } = await build({
    ...options,
    stdin: { contents: `import "./${file}"; export { run } from "node:test";`, resolveDir: root },
    outfile,
    bundle: true,
    format: "esm",
    logLevel: "silent",
    define: environment(),
    alias: { ...options.alias, "node:test": runner },
  });
  // As of an import that is not there.
  const texts = warnings.map(({ text }) => text);
  if (texts.length > 0) throw new Error(`esbuild warns: ${texts.join("; ")}`);
  return outputFiles ?? [];
}

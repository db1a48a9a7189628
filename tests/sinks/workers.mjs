// @ts-check
// Workers of these tests, bundled for Miniflare.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** The modules of a Worker, for the options of Miniflare. @param {string} file @param {string} directory for the bundle */
export async function bundleWorker(file, directory) {
  await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    external: ["cloudflare:workers"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    outfile: join(directory, "worker.js"),
    logLevel: "warning",
  });
  return {
    modulesRoot: directory,
    modules: [
      { type: /** @type {const} */ ("ESModule"), path: join(directory, "worker.js") },
      { type: /** @type {const} */ ("CompiledWasm"), path: join(directory, "bus.wasm") },
    ],
    compatibilityDate: "2026-01-01",
  };
}

// @ts-check
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * Imports one file of `pkg-js/src`, and the files that it imports, without a build of the package: a
 * test of a pure function needs neither Rust nor the WebAssembly.
 *
 * @param {string} file Its path within `pkg-js/src`.
 */
export async function source(file) {
  const root = fileURLToPath(new URL("../../pkg-js/src/", import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [root + file],
    bundle: true,
    format: "esm",
    platform: "neutral",
    write: false,
    logLevel: "silent",
  });
  const code = Buffer.from(outputFiles[0]?.contents ?? "").toString("base64");
  return import(`data:text/javascript;base64,${code}`);
}

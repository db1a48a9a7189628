// @ts-check
// Builds the demo into a directory, for the site and for its tests: `node demo/build.mjs DIRECTORY`.
import { copyFile, mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);

/** @param {string} path */
export async function buildDemo(path) {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true });
  await build({
    absWorkingDir: fileURLToPath(here),
    entryPoints: ["demo.js", "tab.js"],
    outdir: directory,
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    loader: { ".html": "text" },
    logLevel: "warning",
  });
  for (const file of ["index.html", "tab.html", "demo.css", "page.css"]) {
    await copyFile(new URL(file, here), `${directory}/${file}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildDemo(process.argv[2] ?? fileURLToPath(new URL("../target/demo", here)));
}

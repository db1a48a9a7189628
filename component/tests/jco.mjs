// A component as a JavaScript module, as `jco transpile` makes it.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";

/** The folder of the built components. */
export const BUILT = fileURLToPath(new URL("../../target/component/", import.meta.url));

/** A new folder with the module of a component. @param {string} name */
export async function transpiled(name) {
  const { files } = await transpileBytes(await readFile(join(BUILT, `${name}.wasm`)), { name });
  const directory = await mkdtemp(join(BUILT, `${name}-`));
  await writeFile(join(directory, "package.json"), '{ "type": "module" }');
  for (const [path, bytes] of Object.entries(files)) {
    if (path.endsWith(".d.ts")) continue;
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  return directory;
}

/** The exports of a component. @param {string} name */
export async function load(name) {
  const directory = await transpiled(name);
  try {
    return await import(pathToFileURL(join(directory, `${name}.js`)).href);
  } finally {
    await rm(directory, { recursive: true });
  }
}

// Writes components as JavaScript modules: `target/component/js/NAME.js`.
//
//     node component/transpile.mjs core async
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";

const built = fileURLToPath(new URL("../target/component/", import.meta.url));

/** @param {string} path within `target/component/js` @param {string | Uint8Array} contents */
async function write(path, contents) {
  const to = join(built, "js", path);
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, contents);
}

await write("package.json", '{ "type": "module" }');
for (const name of process.argv.slice(2)) {
  const component = await readFile(join(built, `${name}.wasm`));
  // A component with imports gets them when it is instantiated.
  const options = name === "core" ? { name } : { name, instantiation: "async" };
  const { files } = await transpileBytes(component, options);
  for (const [path, contents] of Object.entries(files)) await write(path, contents);
}

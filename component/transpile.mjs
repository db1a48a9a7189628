// Writes the component `core` as a JavaScript module, `target/component/js/core.js`.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";

const built = fileURLToPath(new URL("../target/component/", import.meta.url));
const component = await readFile(join(built, "core.wasm"));
const { files } = await transpileBytes(component, { name: "core" });
for (const [path, bytes] of [...Object.entries(files), ["package.json", '{ "type": "module" }']]) {
  const to = join(built, "js", path);
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, bytes);
}

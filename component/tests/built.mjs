// The built components.
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The folder of the built components. */
export const BUILT = fileURLToPath(new URL("../../target/component/", import.meta.url));

/** The exports of `core` as a JavaScript module, which `component/transpile.mjs` writes. */
export const loadCore = () => import(pathToFileURL(join(BUILT, "js/core.js")).href);

// @ts-check
import { readFileSync } from "node:fs";

const manifest = readFileSync(new URL("../pkg-js/package.json", import.meta.url), "utf8");

/** Entries with the API of another one, or with none. */
const ALIKE = ["./slim", "./js", "./bus.wasm", "./package.json"];

/** The declarations of the package's entries. @type {string[]} */
const declarations = Object.entries(JSON.parse(manifest).exports)
  .filter(([entry]) => !ALIKE.includes(entry))
  .map(([, conditions]) => conditions.default.types.replace(".", "../pkg-js"));

/** The name by which an entry is imported. @param {string} name */
const entryName = (name) =>
  name === "index" ? "shardbus" : `shardbus/${name.replace("/index", "")}`;

/** @type {import("typedoc").TypeDocOptions & import("typedoc-plugin-markdown").PluginOptions & { docsRoot: string, sidebar: object }} */
const config = {
  name: "API",
  entryPoints: declarations,
  tsconfig: "tsconfig.json",
  plugin: ["typedoc-plugin-markdown", "typedoc-vitepress-theme"],
  out: "./api",
  docsRoot: "./",
  router: "module",
  readme: "none",
  disableSources: true,
  excludeExternals: true,
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  pageTitleTemplates: { module: ({ name }) => entryName(name) },
  sidebar: { autoConfiguration: true, pretty: true },
};

export default config;

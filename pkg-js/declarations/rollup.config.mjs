// Makes of all declarations one file for each entry, and one for what they share.
import { dts } from "rollup-plugin-dts";

/** @param {{ configFrom: string, configTo: string, configEntries: string }} args */
export default ({ configFrom: from, configTo: dir, configEntries: entries }) => {
  const pathOf = (/** @type {string} */ entry) => `${from}/${entry}.d.ts`;
  const paths = entries.split(",").map(pathOf);
  return {
    input: Object.fromEntries(entries.split(",").map((entry) => [entry, pathOf(entry)])),
    plugins: [dts()],
    onwarn(/** @type {{ message: string }} */ { message }) {
      throw new Error(message);
    },
    output: {
      dir,
      entryFileNames: "[name].d.ts",
      chunkFileNames: "[name].d.ts",
      minifyInternalExports: false,
      // Types of OpenTelemetry stay with their entry: not everybody has them.
      manualChunks: (/** @type {string} */ id) =>
        id.includes("/opentelemetry/") || paths.some((path) => id.endsWith(path))
          ? undefined
          : "internal",
      // Nobody's configuration need have it.
      banner: ({ name }) =>
        name === "internal" ? '/// <reference lib="esnext.disposable" />' : "",
    },
  };
};

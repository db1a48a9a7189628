// Compiles the programs of this directory in each configuration that a user may have. Only errors in
// them and in the package's declarations count: not every pair of others' types goes together.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(here, "../../pkg-js/dist");
const require = createRequire(import.meta.url);

const libs = { dom: ["es2022", "dom"], webworker: ["es2022", "webworker"], none: ["es2022"] };
const types = {
  none: [],
  node: ["node"],
  workers: ["@cloudflare/workers-types"],
  bun: ["bun-types"],
};
const resolutions = {
  node10: { module: "commonjs", moduleResolution: "node10", esModuleInterop: true },
  node16: { module: "node16", moduleResolution: "node16" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};

/**
 * Every configuration, by a name. The files that a resolution finds have little to do with the
 * types that they name, so each resolution goes with a few of the platforms.
 */
function* configurations() {
  for (const [lib, libList] of Object.entries(libs)) {
    for (const [type, typeList] of Object.entries(types)) {
      if (lib === "webworker" && (type === "node" || type === "bun")) continue;
      const isPlain = lib !== "webworker" && (type === "none" || type === "node");
      for (const [resolution, options] of Object.entries(resolutions)) {
        if (resolution !== "bundler" && !isPlain) continue;
        yield {
          name: `lib ${lib}, types ${type}, ${resolution}`,
          resolution,
          options: {
            ...options,
            target: "es2022",
            lib: libList,
            types: typeList,
            strict: true,
            exactOptionalPropertyTypes: true,
            skipLibCheck: false,
            noEmit: true,
          },
        };
      }
    }
  }
}

const programs = (resolution) => [
  join(here, "everything.ts"),
  // The files that `require` finds.
  ...(resolution === "node16" ? [join(here, "commonjs.cts")] : []),
];

const isOurs = (path) =>
  !path.includes("/node_modules/") &&
  [`${dist}/`, `${here}/`].some((ours) => path.startsWith(ours));

/**
 * Compiles with an older compiler, which is a library.
 *
 * @param {string} name
 */
function compileWithLibrary(name) {
  const ts = require(name);
  const files = new Map();
  return ({ resolution, options }) => {
    const { options: parsed, errors } = ts.convertCompilerOptionsFromJson(options, here);
    // Types of platforms are looked for from there.
    parsed.configFilePath = join(here, "tsconfig.json");
    const host = ts.createCompilerHost(parsed);
    const read = host.getSourceFile;
    // Most files are the same in each configuration.
    host.getSourceFile = (path, settings, ...rest) => {
      const key = `${path} ${JSON.stringify(settings)}`;
      const file = files.get(key) ?? read(path, settings, ...rest);
      files.set(key, file);
      return file;
    };
    const program = ts.createProgram(programs(resolution), parsed, host);
    const found = [...errors, ...program.getOptionsDiagnostics()];
    for (const file of program.getSourceFiles()) {
      if (!isOurs(file.fileName)) continue;
      found.push(...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file));
    }
    return found.map(({ file, messageText }) => {
      const message = ts.flattenDiagnosticMessageText(messageText, "\n");
      return file === undefined ? message : `${file.fileName}: ${message}`;
    });
  };
}

/**
 * Compiles with a compiler that is a program.
 *
 * @param {string} name
 */
function compileWithProgram(name) {
  const tsc = join(dirname(require.resolve(`${name}/package.json`)), "bin/tsc");
  return async ({ resolution, options }) => {
    const config = join(here, `tsconfig.${process.pid}.json`);
    const files = programs(resolution);
    await writeFile(config, JSON.stringify({ compilerOptions: options, files }));
    try {
      await promisify(execFile)(process.execPath, [tsc, "--project", config, "--pretty", "false"]);
      return [];
    } catch (error) {
      const lines = `${error.stdout}${error.stderr}`.split("\n");
      const errors = lines.filter((line) => /^\S.*error TS/.test(line));
      // An option that is wrong has no file.
      return errors.filter(
        (line) => line.startsWith("error") || isOurs(resolve(line.split("(")[0])),
      );
    } finally {
      await rm(config);
    }
  };
}

/**
 * Makes a test of each configuration.
 *
 * @param {string} name a package with a compiler
 */
export function tryAll(name) {
  const isProgram = name === "typescript-7";
  const errorsOf = isProgram ? compileWithProgram(name) : compileWithLibrary(name);
  for (const configuration of configurations()) {
    // TypeScript 7 has this resolution no more.
    if (isProgram && configuration.resolution === "node10") continue;
    test(`${name}, ${configuration.name}`, async () => {
      assert.deepEqual(await errorsOf(configuration), []);
    });
  }
}

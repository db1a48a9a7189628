// @ts-check

// Runs the suite in runtimes that are programs: Node, Deno and Bun.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isAllowedSkip } from "../../skips.mjs";
import { VARIABLES } from "./bundle.mjs";
import { broken, FILE_TIMEOUT_MS, oneByOne, Unavailable } from "./runtime.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(import.meta.url);
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** The limit of a test, in milliseconds: a test that hangs must end before a bus would. */
const TIMEOUT_MS = 60_000;
/** The limit of all files in one Node, in milliseconds. */
const ALL_TIMEOUT_MS = 1_200_000;

/** @typedef {import("./runtime.mjs").Runtime} Runtime */
/** @typedef {import("./runtime.mjs").Result} Result */

/**
 * The path of a program that an npm package for this platform brings.
 *
 * @param {string} packageName
 * @param {string} program
 */
function programOf(packageName, program) {
  try {
    return join(dirname(require.resolve(`${packageName}/package.json`)), program);
  } catch {
    const where = "`npm ci` in tests/runtimes installs it, if npm has it for this platform";
    throw new Unavailable(`${packageName} is missing: ${where}`);
  }
}

/**
 * Runs a program, and returns its output.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, input?: string, timeout?: number }} [options]
 * @returns {Promise<{ stdout: string, output: string, isOk: boolean }>}
 */
async function run(program, args, { env, input, timeout = FILE_TIMEOUT_MS } = {}) {
  const options = { cwd: root, env: { ...process.env, NO_COLOR: "1", ...env } };
  const child = spawn(program, args, { ...options, timeout, killSignal: "SIGKILL" });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  let [stdout, output] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  child.stdin.end(input);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once("error", reject).once("close", (...end) => resolve(end));
  });
  process.off("exit", kill);
  if (signal !== null) output += `\nended by ${signal}; it had ${timeout} ms`;
  return { stdout, output, isOk: code === 0 };
}

/** The first number that comes before or after a word. @param {RegExp} pattern @param {string} text */
const count = (pattern, text) => Number(pattern.exec(text)?.[1] ?? 0);

/**
 * The report of `node --test` for each file.
 *
 * @param {string[]} files
 * @param {import("./node-reporter.mjs").Line[]} lines
 */
function nodeResults(files, lines) {
  const results = new Map(
    files.map((file) => [
      file,
      /** @type {Result} */ ({ file, tests: 0, passed: 0, failures: [] }),
    ]),
  );
  /** The output since a file ended. */
  let printed = "";
  for (const { type, file = "", name = "", isSuite, skip, text = "" } of lines) {
    const result = results.get(relative(root, file));
    if (["test:stdout", "test:stderr", "test:diagnostic"].includes(type)) printed += `${text}\n`;
    if (result === undefined || (type !== "test:pass" && type !== "test:fail")) continue;
    // Node reports an error outside any test as a test with the name of the file.
    const isFile = resolve(root, name) === file;
    if (skip && !isAllowedSkip(skip)) {
      result.failures.push({
        name,
        error: "it is skipped, for a reason that tests/skips.mjs lacks",
      });
    } else if (type === "test:fail") {
      result.failures.push({ name, error: isFile ? `${text}\n${printed.slice(-4000)}` : text });
    }
    if (isFile) printed = "";
    else if (!isSuite && !skip) {
      result.tests++;
      if (type === "test:pass") result.passed++;
    }
  }
  return [...results.values()];
}

/**
 * A Node.
 *
 * @param {string} name
 * @param {() => string} program
 * @param {Record<string, string>} [skips] files that have no meaning there, and why
 * @param {string} [preload] a module that each of its processes begins with
 * @returns {Runtime}
 */
const node = (name, program, skips = {}, preload) => ({
  name,
  skips,
  hasNode: true,
  async start() {
    const { stdout } = await run(program(), ["--version"]);
    /** @type {Record<string, string>} */
    const env = preload === undefined ? {} : { NODE_OPTIONS: `--import=${preload}` };
    const reporter = `--test-reporter=${path("node-reporter.mjs")}`;
    const args = ["--test", reporter, `--test-timeout=${TIMEOUT_MS}`];
    return {
      version: stdout.trim(),
      async runFiles(files) {
        const options = { env, timeout: ALL_TIMEOUT_MS };
        const { stdout, output, isOk } = await run(program(), [...args, ...files], options);
        const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
        const results = nodeResults(
          files,
          lines.map((line) => JSON.parse(line)),
        );
        const isSaid = results.some(({ failures }) => failures.length > 0);
        if (!isOk && !isSaid) results.push(broken("node --test", output.slice(-4000)));
        return results;
      },
      async stop() {},
    };
  },
});

/** Deno, with the runner of pages: its own `node:test` says nothing of unhandled rejections. @type {Runtime} */
const deno = {
  name: "Deno",
  skips: {},
  hasNode: false,
  async start() {
    const program = programOf(`@deno/${process.platform}-${process.arch}-glibc`, "deno");
    const { stdout } = await run(program, ["--version"]);
    // For the tests. The package must not need a permission.
    const permissions = ["--no-prompt", `--allow-env=${VARIABLES}`];
    const args = ["run", ...permissions, "--no-check", `--import-map=${path("deno-imports.json")}`];
    return {
      version: /deno (\S+)/.exec(stdout)?.[1] ?? "",
      runFiles: (files) =>
        oneByOne(files, async (file) => {
          const input = `
            import { run } from "node:test";
            import "./${file}";
            console.log("\\n" + JSON.stringify(await run()));
          `;
          const { stdout, output, isOk } = await run(program, [...args, "-"], { input });
          if (!isOk) throw new Error(output);
          return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
        }),
      async stop() {},
    };
  },
};

/** @type {Runtime} */
const bun = {
  name: "Bun",
  skips: {},
  hasNode: false,
  async start() {
    const program = programOf(`@oven/bun-${process.platform}-${process.arch}`, "bin/bun");
    const { stdout } = await run(program, ["--version"]);
    return {
      version: stdout.trim(),
      // One process each: `bun test` runs all its files in one, and some break the package for the
      // rest of their process.
      runFiles: (files) =>
        oneByOne(files, async (file) => {
          const args = ["test", `--timeout=${TIMEOUT_MS}`, `./${file}`];
          const { output, isOk } = await run(program, args);
          const passed = count(/^\s*(\d+) pass$/m, output);
          const failed = count(/^\s*(\d+) fail$/m, output);
          const failures = isOk ? [] : [{ name: "bun test", error: output }];
          return { tests: passed + failed, passed, failures };
        }),
      async stop() {},
    };
  },
};

/** Those that npm can install, and the Node that runs this. */
export const programs = [
  node(
    "Node, without WebAssembly",
    () => process.execPath,
    {
      "tests/js/beginning.node.test.mjs": "beginning: there is no module to load late",
      "tests/js/documents.node.test.mjs": "documents: some programs load WebAssembly",
      "tests/js/initialize.node.test.mjs": "initialize: there is no WebAssembly to load",
      "tests/js/node-nonce.node.test.mjs": "node-nonce: `shardbus/js` has no entry for Node",
      "tests/js/requests.node.test.mjs": "requests: there is no WebAssembly for these entries",
      "tests/js/wasm-refused.test.mjs": "wasm-refused: there is none to refuse",
    },
    new URL("without-wasm.mjs", import.meta.url).href,
  ),
  ...["22", "24", "26"].map((major) =>
    node(`Node ${major}`, () => programOf(`node-${major}`, "bin/node")),
  ),
  deno,
  bun,
];

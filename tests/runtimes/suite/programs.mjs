// @ts-check

// Runs the suite in runtimes that are programs: Node, Deno and Bun.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeTests, portableTests } from "./files.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const require = createRequire(import.meta.url);

/** How long a test may take, in milliseconds: what hangs must not hang for as long as a bus may. */
const TIMEOUT_MS = 60_000;

/** @typedef {import("./run.mjs").Runtime} Runtime */

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
    throw new Error(`npm has no ${packageName} for this platform`);
  }
}

/**
 * Runs a program, and returns what it says.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {Promise<{ output: string, isOk: boolean }>}
 */
async function run(program, args, env) {
  const options = { cwd: root, env: { ...process.env, NO_COLOR: "1", ...env } };
  const child = spawn(program, args, options);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  process.off("exit", kill);
  return { output, isOk: code === 0 };
}

/** The first number that comes before or after a word. @param {RegExp} pattern @param {string} text */
const count = (pattern, text) => Number(pattern.exec(text)?.[1] ?? 0);

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
  async run() {
    const all = [...(await portableTests()), ...(await nodeTests())];
    const files = all.filter((file) => !Object.hasOwn(skips, file));
    const version = await run(program(), ["--version"]);
    const args = ["--test", "--test-reporter=tap", `--test-timeout=${TIMEOUT_MS}`];
    /** @type {Record<string, string>} */
    const env = preload === undefined ? {} : { NODE_OPTIONS: `--import=${preload}` };
    const { output, isOk } = await run(program(), [...args, ...files], env);
    return {
      version: version.output.trim(),
      passed: count(/^# pass (\d+)/m, output),
      failed: count(/^# fail (\d+)/m, output),
      skipped: Object.values(skips),
      failures: isOk ? "" : output.replaceAll(/^ *ok .*\n( +---\n[\s\S]*?\n +\.\.\.\n)?/gm, ""),
    };
  },
});

/** @type {Runtime} */
const deno = {
  name: "Deno",
  async run() {
    const program = programOf(`@deno/${process.platform}-${process.arch}-glibc`, "deno");
    const version = await run(program, ["--version"]);
    // Without a permission: the package must not need any.
    const { output, isOk } = await run(program, ["test", "--no-check", ...(await portableTests())]);
    const summary = output.slice(output.lastIndexOf("\n", output.trimEnd().length - 1));
    const steps = count(/\((\d+) steps?\)/, summary);
    return {
      version: /deno (\S+)/.exec(version.output)?.[1] ?? "",
      passed: count(/(\d+) passed/, summary) + steps,
      failed: count(/(\d+) failed/, summary),
      skipped: [],
      failures: isOk ? "" : output,
    };
  },
};

/** @type {Runtime} */
const bun = {
  name: "Bun",
  async run() {
    const program = programOf(`@oven/bun-${process.platform}-${process.arch}`, "bin/bun");
    const version = await run(program, ["--version"]);
    const result = { passed: 0, failed: 0, failures: "" };
    // One process each: `bun test` runs all its files in one, and some break what they test.
    for (const file of await portableTests()) {
      const { output, isOk } = await run(program, ["test", `--timeout=${TIMEOUT_MS}`, `./${file}`]);
      result.passed += count(/^\s*(\d+) pass$/m, output);
      result.failed += count(/^\s*(\d+) fail$/m, output);
      if (!isOk) result.failures += output;
    }
    return { version: version.output.trim(), ...result, skipped: [] };
  },
};

/** Those that npm can install, and the Node that runs this. */
export const programs = [
  node(
    "Node, without WebAssembly",
    () => process.execPath,
    { "tests/js/initialize.node.test.mjs": "initialize: there is no WebAssembly to load" },
    new URL("without-wasm.mjs", import.meta.url).href,
  ),
  ...["22", "24", "26"].map((major) =>
    node(`Node ${major}`, () => programOf(`node-${major}`, "bin/node")),
  ),
  deno,
  bun,
];

// @ts-check

// Runs the suite in workerd: each file is a Worker of its own, and runs its tests in one request.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
// @ts-expect-error it has no types
import workerd from "workerd";
import { within } from "../../js/harness.mjs";
import { bundleTest } from "./bundle.mjs";
import { FILE_TIMEOUT_MS, oneByOne } from "./runtime.mjs";

const START_MS = 60_000;

/** The line that workerd prints for an uncaught error. */
const UNCAUGHT = /uncaught exception; source = Uncaught; stack = (.*(?:\n +at .*)*)/g;

/**
 * Has tests import the bus of `workerd-shardbus.mjs`. An alias would take the package's other entries
 * along.
 *
 * @type {import("esbuild").Plugin}
 */
const toWorkerBus = {
  name: "shardbus",
  setup(build) {
    const path = fileURLToPath(new URL("workerd-shardbus.mjs", import.meta.url));
    build.onResolve({ filter: /^shardbus$/ }, () => ({ path }));
  },
};

const bundleOptions = {
  conditions: ["workerd"],
  loader: { ".wasm": /** @type {const} */ ("copy") },
  assetNames: "[name]",
  footer: {
    js: "export default { async fetch() { return Response.json(await run()); } };",
  },
  plugins: [toWorkerBus],
};

/** @param {boolean} hasBus whether the file imports `shardbus`, and so its WebAssembly */
const config = (hasBus) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "file", worker = .file)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "file")],
);
const file :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    ${hasBus ? '(name = "bus.wasm", wasm = embed "bus.wasm"),' : ""}
  ],
  compatibilityDate = "2026-01-01",
);`;

/** @type {import("./runtime.mjs").Runtime} */
export const workerdSuite = {
  name: "workerd",
  skips: {
    "tests/js/exhausted.test.mjs": "exhausted: a Worker gets its module compiled",
    "tests/js/wasm-refused.test.mjs": "wasm-refused: a Worker gets its module compiled",
  },
  hasNode: false,
  async start() {
    return {
      version: workerd.version,
      runFiles: (files) => oneByOne(files, runFile),
      async stop() {},
    };
  },
};

/** @param {string} file */
async function runFile(file) {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-suite-"));
  try {
    await bundleTest(file, join(directory, "worker.js"), bundleOptions);
    await writeFile(
      join(directory, "config.capnp"),
      config(existsSync(join(directory, "bus.wasm"))),
    );
    const { result, errors } = await runWorker(join(directory, "config.capnp"));
    // An error that a timer throws has no event, but workerd prints it.
    for (const [, error = ""] of errors.matchAll(UNCAUGHT)) {
      result.failures.push({ name: "the file", error: `uncaught error: ${error}` });
    }
    return result;
  } finally {
    await rm(directory, { recursive: true });
  }
}

/**
 * Runs the tests of a Worker; returns their results, and workerd's output.
 *
 * @param {string} config
 */
async function runWorker(config) {
  const child = spawn(workerd.default, ["serve", config, "--control-fd=3", "--verbose"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  const close = once(child, "close");
  const ended = close.then(() => Promise.reject(new Error(`workerd ended: ${errors}`)));
  ended.catch(() => {});
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  try {
    // Once it listens, it says where.
    const told = Promise.race([once(/** @type {any} */ (child.stdio[3]), "data"), ended]);
    const [message] = await within(told, () => `workerd does not listen: ${errors}`, START_MS);
    const { port } = JSON.parse(String(message));
    const request = fetch(`http://127.0.0.1:${port}`).then(async (response) => {
      if (!response.ok) throw new Error(`${await response.text()}\n${errors}`);
      return response.json();
    });
    const end = Promise.race([request, ended]);
    const result = await within(end, () => "it does not end", FILE_TIMEOUT_MS);
    kill();
    await close;
    return { result, errors };
  } finally {
    kill();
    await close;
    process.off("exit", kill);
  }
}

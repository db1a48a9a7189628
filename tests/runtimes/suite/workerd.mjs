// @ts-check

// Runs the suite in workerd: each file is a Worker of its own, and runs its tests in one request.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
// @ts-expect-error it has no types
import workerd from "workerd";
import { bundleTest } from "./bundle.mjs";
import { portableTests } from "./files.mjs";
import { summary } from "./summary.mjs";

/** Files that have no meaning here, and why. */
const SKIPPED = {
  "tests/js/poison.test.mjs": "poison: a Worker gets its module compiled",
};

const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

const bundleOptions = {
  conditions: ["workerd"],
  loader: { ".wasm": /** @type {const} */ ("copy") },
  assetNames: "[name]",
  footer: {
    js: "export default { async fetch() { return Response.json(await run()); } };",
  },
  alias: {
    shardbus: path("workerd-shardbus.mjs"),
  },
};

/** @param {string[]} names */
const config = (names) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${names.map((name) => `(name = "${name}", worker = .${name})`).join(", ")}],
  sockets = [
    ${names.map((name) => `(name = "${name}", address = "127.0.0.1:0", http = (), service = "${name}")`).join(",\n    ")}
  ],
);
${names.map(worker).join("\n")}
`;

/** @param {string} name */
const worker = (name) => `const ${name} :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "${name}.js"),
    (name = "bus.wasm", wasm = embed "bus.wasm"),
  ],
  compatibilityDate = "2026-01-01",
);`;

/** @type {import("./run.mjs").Runtime} */
export const workerdSuite = {
  name: "workerd",
  async run() {
    const files = (await portableTests()).filter((file) => !Object.hasOwn(SKIPPED, file));
    const results = await runFiles(files);
    return summary(workerd.version, results, Object.values(SKIPPED));
  },
};

/** @param {string[]} files */
async function runFiles(files) {
  const names = files.map((_, index) => `file${index}`);
  const directory = await mkdtemp(join(tmpdir(), "shardbus-suite-"));
  for (const [index, file] of files.entries()) {
    await bundleTest(file, join(directory, `${names[index]}.js`), bundleOptions);
  }
  await writeFile(join(directory, "config.capnp"), config(names));
  const child = spawn(
    workerd.default,
    ["serve", join(directory, "config.capnp"), "--control-fd=3"],
    {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
    },
  );
  const exit = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  try {
    const ports = await Promise.race([
      listening(/** @type {import("node:stream").Readable} */ (child.stdio[3]), names),
      exit.then(() => Promise.reject(new Error("workerd does not start"))),
    ]);
    const results = [];
    for (const [index, file] of files.entries()) {
      const response = await fetch(`http://127.0.0.1:${ports.get(names[index] ?? "")}`);
      if (!response.ok) throw new Error(`${file}: ${await response.text()}`);
      results.push({ file, ...(await response.json()) });
    }
    return results;
  } finally {
    kill();
    await exit;
    process.off("exit", kill);
    await rm(directory, { recursive: true });
  }
}

/**
 * Waits until workerd has said at which port each Worker listens.
 *
 * @param {import("node:stream").Readable} control
 * @param {string[]} names
 */
async function listening(control, names) {
  /** @type {Map<string, number>} */
  const ports = new Map();
  for await (const line of createInterface(control)) {
    const { event, socket, port } = JSON.parse(line);
    if (event === "listen") ports.set(socket, port);
    if (ports.size === names.length) break;
  }
  return ports;
}

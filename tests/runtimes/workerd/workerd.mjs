// @ts-check

// Runs Workers in workerd.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
// @ts-expect-error it has no types
import workerd from "workerd";
import { within } from "../../js/harness.mjs";

// The signal by which `node --test` ends a file that takes too long; no workerd may outlive it.
process.once("SIGTERM", () => process.exit(1));

const here = fileURLToPath(new URL(".", import.meta.url));

/** Every address that the Worker fetches is the collector's. */
const config = (/** @type {string[]} */ flags) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "collector", external = (address = "to be told", http = ())),
    (name = "objects", disk = (path = "to be told", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "bus.wasm", wasm = embed "bus.wasm"),
  ],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ${JSON.stringify(flags)},
  globalOutbound = "collector",
  bindings = [(name = "OBJECTS", durableObjectNamespace = "FlushingObject")],
  durableObjectNamespaces = [(className = "FlushingObject", uniqueKey = "flushing-object")],
  durableObjectStorage = (localDisk = "objects"),
);
`;

/**
 * Bundles a Worker as Cloudflare's tools do, and runs it.
 *
 * @param {string} source the Worker's main module
 * @param {number} collectorPort
 * @param {string[]} [flags] compatibility flags
 * @param {string} [resolveDir] where the source's imports are looked for
 */
export async function startWorker(source, collectorPort, flags = [], resolveDir = here) {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-workerd-"));
  await build({
    stdin: { contents: source, resolveDir },
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    external: ["node:*"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    outfile: join(directory, "worker.js"),
    logLevel: "warning",
  });
  await writeFile(join(directory, "config.capnp"), config(flags));

  const collector = `--external-addr=collector=127.0.0.1:${collectorPort}`;
  // On disk, because an object that is reset loses its memory.
  const objects = join(directory, "objects");
  await mkdir(objects);
  const addresses = [collector, `--directory-path=objects=${objects}`];
  const args = ["serve", join(directory, "config.capnp"), "--control-fd=3", ...addresses];
  const child = spawn(workerd.default, args, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  // After a gentler signal it would wait for the promises of its requests.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  // Errors that a Worker does not catch, which some tests make on purpose.
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  const stop = async () => {
    kill();
    await exit;
    process.off("exit", kill);
    await rm(directory, { recursive: true });
  };
  try {
    // Once it listens, it says where.
    const failed = exit.then(() => Promise.reject(new Error(`workerd does not start: ${errors}`)));
    const told = Promise.race([once(/** @type {any} */ (child.stdio[3]), "data"), failed]);
    const [message] = await within(told, () => "workerd does not listen");
    failed.catch(() => {});
    const { port } = JSON.parse(String(message));
    return { url: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

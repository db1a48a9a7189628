// @ts-check

// Runs Workers in workerd, and the collector that all their requests go to.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
// @ts-expect-error it has no types
import workerd from "workerd";
import { deferred, within } from "../../js/harness.mjs";

// How `node --test` ends a file that takes too long; no workerd may outlive it.
process.once("SIGTERM", () => process.exit(1));

/** Every address that the Worker fetches is the collector's. */
const config = `using Workerd = import "/workerd/workerd.capnp";
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
 */
export async function startWorker(source, collectorPort) {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-workerd-"));
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    outfile: join(directory, "worker.js"),
    logLevel: "warning",
  });
  await writeFile(join(directory, "config.capnp"), config);

  const collector = `--external-addr=collector=127.0.0.1:${collectorPort}`;
  // On disk, because what is in memory does not outlive an object that is reset.
  const objects = join(directory, "objects");
  await mkdir(objects);
  const addresses = [collector, `--directory-path=objects=${objects}`];
  const args = ["serve", join(directory, "config.capnp"), "--control-fd=3", ...addresses];
  const child = spawn(workerd.default, args, { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const exit = once(child, "exit");
  // A gentler signal lets it wait for what its requests wait for.
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
    const [message] = await within(told, () => "workerd does not listen", 20_000);
    failed.catch(() => {});
    const { port } = JSON.parse(String(message));
    return { url: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * One request that the collector got.
 *
 * @typedef {object} Delivery
 * @property {string} id the batch's
 * @property {number} attempt
 * @property {any[]} events
 * @property {() => void} answer answers it, if it is held
 * @property {Promise<boolean>} ended whether it was answered, or the sender went away before
 */

/** A collector of batches, which can keep senders waiting. */
export async function startCollector() {
  /** @type {Delivery[]} */
  const log = [];
  /** @type {Set<() => void>} */
  const looks = new Set();
  /** @type {import("node:http").ServerResponse[]} */
  const waiting = [];
  let held = 0;

  const server = createServer(async (request, response) => {
    let body = "";
    try {
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
    } catch {
      // The sender was cut off before it had said it all.
      return;
    }
    if (request.url === "/wait") {
      waiting.push(response);
      for (const look of looks) look();
      return;
    }
    /** @type {ReturnType<typeof deferred<boolean>>} */
    const ended = deferred();
    response.on("close", () => ended.resolve(response.writableFinished));
    log.push({
      id: String(request.headers["idempotency-key"]),
      attempt: Number(request.headers["x-attempt"]),
      events: body.split("\n").map((line) => JSON.parse(line)),
      answer: () => response.end(),
      ended: ended.promise,
    });
    if (held > 0) held--;
    else response.end();
    for (const look of looks) look();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  /** @param {() => boolean} isSo */
  async function reached(isSo) {
    const { promise, resolve } = deferred();
    const look = () => isSo() && resolve();
    looks.add(look);
    look();
    await within(promise, () => `the collector got ${JSON.stringify(log)}`);
    looks.delete(look);
  }

  return {
    port: /** @type {import("node:net").AddressInfo} */ (server.address()).port,
    log,
    /** Lets the next request wait for its answer. */
    holdNext() {
      held++;
    },
    /** Lets the request go on that waits for it, once it does. */
    async goOn() {
      await reached(() => waiting.length > 0);
      for (const response of waiting.splice(0)) response.end();
    },
    /** Waits until there were `count` requests, and returns the last of them. @param {number} count */
    async nth(count) {
      await reached(() => log.length >= count);
      return /** @type {Delivery} */ (log[count - 1]);
    },
    /** All events, in the order in which they came. */
    events: () => log.flatMap(({ events }) => events),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

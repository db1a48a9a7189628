// @ts-check

// Runs the Worker in workerd, and sends it its share of the flights.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
// @ts-expect-error it has no types
import workerd from "workerd";
import { endOf, startChild } from "./children.mjs";
import { flightsOf } from "./share.mjs";

const FLIGHTS_PER_REQUEST = 250;

export const { version } = workerd;

/** The network of a Worker is the public one, unless its configuration says otherwise. */
const config = (/** @type {string} */ nats) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "worker.js"),
    (name = "bus.wasm", wasm = embed "bus.wasm"),
  ],
  compatibilityDate = "2026-01-01",
  bindings = [(name = "NATS", text = "${nats}")],
);
`;

/**
 * Bundles the Worker as Cloudflare's tools do, and starts it.
 *
 * @param {string} directory where the bundle may be
 * @param {string} nats the address of JetStream, for WebSockets
 */
export async function startWorkerd(directory, nats) {
  await build({
    entryPoints: [fileURLToPath(new URL("worker.mjs", import.meta.url))],
    bundle: true,
    format: "esm",
    conditions: ["workerd"],
    external: ["cloudflare:*"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    outfile: join(directory, "worker.js"),
    logLevel: "warning",
  });
  await writeFile(join(directory, "config.capnp"), config(nats));

  /** @type {(port: number) => void} */
  let listening;
  const port = new Promise((resolve) => {
    listening = resolve;
  });
  // Once it listens, it says where.
  const onLine = (/** @type {string} */ line) => listening(JSON.parse(line).port);
  const args = ["serve", join(directory, "config.capnp"), "--control-fd=3"];
  const ended = endOf("workerd", startChild(workerd.default, args, { fd: 3, onLine }));
  return { url: `http://127.0.0.1:${await Promise.race([port, ended])}/`, ended };
}

/**
 * Sends flights to the Worker, request by request, until it has delivered them all.
 *
 * @param {string} url
 * @param {import("./producers.mjs").Share} share
 * @param {(progress: import("./producer.mjs").Progress) => void} tell
 */
export async function feed(url, share, tell) {
  const lines = (await flightsOf(share)).map((flight, n) => JSON.stringify({ n, ...flight }));
  tell(await call(url));
  let refusals = 0;
  for (let sent = 0; sent < lines.length; ) {
    const some = lines.slice(sent, sent + FLIGHTS_PER_REQUEST);
    const progress = await call(url, { method: "POST", body: some.join("\n") });
    tell(progress);
    sent += progress.taken;
    if (progress.taken < some.length) {
      refusals++;
      await call(`${url}flush`); // until there is room
    }
  }
  tell({ ...(await call(`${url}flush`)), refusals });
}

/** @param {string} url @param {RequestInit} [init] */
async function call(url, init) {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`workerd: ${response.status} ${await response.text()}`);
  return response.json();
}

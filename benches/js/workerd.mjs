// The time from workerd's start to a Worker's first answer, with an event accepted, and with it sent.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import workerd from "workerd";

const config = (modules) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [${modules}],
  compatibilityDate = "2026-01-01",
);
`;

const SCRIPT = '(name = "worker.js", esModule = embed "worker.js")';
const WASM = '(name = "bus.wasm", wasm = embed "bus.wasm")';

const variants = {
  empty: { modules: SCRIPT, source: 'export default { fetch: () => new Response("ok") };' },
  shardbus: {
    modules: `${SCRIPT}, ${WASM}`,
    source: `
      import { EventBus } from "shardbus";
      const bus = new EventBus(() => {});
      export default { fetch: () => new Response(bus.ingest({ type: "first" }) ? "ok" : "no") };`,
  },
  sent: {
    modules: `${SCRIPT}, ${WASM}`,
    source: `
      import { EventBus } from "shardbus";
      let sent = "no";
      const bus = new EventBus(() => { sent = "ok"; });
      const fetch = async () => {
        bus.ingest({ type: "first" });
        await bus.flush();
        return new Response(sent);
      };
      export default { fetch };`,
  },
};

/** Bundles a Worker as Cloudflare's tools do. */
async function bundle({ source, modules }, directory) {
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    conditions: ["workerd"],
    loader: { ".wasm": "copy" },
    assetNames: "[name]",
    outfile: join(directory, "worker.js"),
    logLevel: "warning",
  });
  await writeFile(join(directory, "config.capnp"), config(modules));
}

/** Milliseconds of CPU time of all threads of a process. Linux alone says this precisely. */
async function cpuMs(pid) {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const times = tasks.map(async (task) => {
    const text = await readFile(`/proc/${pid}/task/${task}/schedstat`, "utf8").catch(() => "0");
    return Number(text.split(" ")[0]) / 1e6;
  });
  return (await Promise.all(times)).reduce((sum, time) => sum + time, 0);
}

async function start(directory) {
  const args = ["serve", join(directory, "config.capnp"), "--control-fd=3"];
  const before = performance.now();
  const child = spawn(workerd.default, args, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const exit = once(child, "exit");
  try {
    const [message] = await Promise.race([
      once(child.stdio[3], "data"),
      exit.then(() => Promise.reject(new Error("workerd does not start"))),
    ]);
    const response = await fetch(`http://127.0.0.1:${JSON.parse(String(message)).port}/`);
    if ((await response.text()) !== "ok") throw new Error("the Worker fails");
    return { ms: performance.now() - before, cpuMs: await cpuMs(child.pid) };
  } finally {
    kill();
    await exit.catch(() => {});
    process.off("exit", kill);
  }
}

/** Prepares the Workers, and returns a job for each, and what cleans up. */
export async function workers() {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-bench-"));
  const jobs = {};
  for (const [name, variant] of Object.entries(variants)) {
    const own = join(directory, name);
    await bundle(variant, own);
    jobs[name] = () => start(own);
  }
  return { jobs, cleanUp: () => rm(directory, { recursive: true }) };
}

// @ts-check
// The services of `examples/component-serve` and `examples/component-async` under `wasmtime serve`: each
// request is logged by the composed component of the bus.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { freePort, serve } from "../../tests/loopback.mjs";
import { BUILT } from "./built.mjs";

const PATHS = Array.from({ length: 20 }, (_, n) => `/page/${String(n).padStart(2, "0")}`);

/** The path of a request that only lets an instance work. */
const MORE = "/more";

/** The flags of a service that serves many requests with one instance. */
const REUSED = [
  "--env=REUSED=1",
  "--max-instance-reuse-count=1000",
  "--idle-instance-timeout=600s",
];

/** A collector that is away for its first requests. It keeps the batches that it takes. @param {number} away */
async function collect(away) {
  /** @type {{ id: string, paths: string[] }[]} */
  const batches = [];
  /** @type {(() => void)[]} */
  const waiting = [];
  let requests = 0;
  const receiver = await serve(async (request, response) => {
    const lines = (await text(request)).split("\n");
    requests++;
    if (requests > away) {
      const id = String(request.headers["idempotency-key"]);
      batches.push({ id, paths: lines.map((line) => JSON.parse(line).path) });
    }
    response.writeHead(requests > away ? 204 : 503).end();
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    ...receiver,
    batches,
    paths: () =>
      batches
        .flatMap(({ paths }) => paths)
        .filter((path) => path !== MORE)
        .sort(),
    /** The nonces of the instances that sent. */
    instances: () => new Set(batches.map(({ id }) => id.split("-")[0])).size,
    /** Waits until all paths are there. @param {() => Promise<unknown>} [more] asked again and again */
    async all(more) {
      const end = AbortSignal.timeout(60_000);
      while (this.paths().length < PATHS.length) {
        end.throwIfAborted();
        await more?.();
        await new Promise((resolve) => {
          waiting.push(() => resolve(undefined));
          if (more !== undefined) setTimeout(resolve, 200);
          end.addEventListener("abort", resolve, { once: true });
        });
      }
    },
  };
}

/** Serves a component, offers it requests, and stops it. @param {string} name @param {string[]} flags
 * @param {(url: string) => Promise<void>} use */
async function served(name, flags, use) {
  const port = await freePort();
  const wasm = join(BUILT, `${name}.wasm`);
  const args = ["serve", "-Scli", `--addr=127.0.0.1:${port}`, ...flags, wasm];
  const child = spawn(process.env.SHARDBUS_WASMTIME ?? "wasmtime", args, {
    stdio: ["ignore", "inherit", "pipe"],
  });
  const exit = once(child, "exit");
  try {
    await new Promise((resolve, reject) => {
      let said = "";
      exit.then(() => reject(new Error(`wasmtime ended: ${said}`)), reject);
      child.stderr.setEncoding("utf8").on("data", (chunk) => {
        said += chunk;
        if (said.includes("Serving HTTP")) resolve(undefined);
      });
    });
    await use(`http://127.0.0.1:${port}`);
  } finally {
    child.kill("SIGKILL");
    await exit;
  }
}

/** Requests paths, one after the other. @param {string} url @param {string[]} paths */
async function request(url, paths) {
  for (const path of paths) {
    const { status } = await fetch(url + path, { signal: AbortSignal.timeout(60_000) });
    assert.equal(status, 204);
  }
}

for (const name of ["logging-service", "async-logging-service"]) {
  test(`${name}: every instance sends its entries before it ends, through an outage`, async () => {
    const receiver = await collect(3);
    try {
      const flags = ["--max-instance-reuse-count=1", `--env=COLLECTOR=${receiver.url}/events`];
      await served(name, flags, async (url) => {
        await request(url, PATHS);
        await receiver.all();
      });
      assert.deepEqual(receiver.paths(), PATHS);
      assert.equal(receiver.instances(), PATHS.length);
    } finally {
      await receiver.stop();
    }
  });

  test(`${name}: an instance that is used again fills its batches over requests`, async () => {
    const receiver = await collect(0);
    try {
      await served(name, [...REUSED, `--env=COLLECTOR=${receiver.url}/events`], async (url) => {
        await request(url, PATHS);
        // An instance works on when it has a request, and there may be several.
        const more = () =>
          Promise.all([MORE, MORE, MORE, MORE].map((path) => request(url, [path])));
        await receiver.all(more);
      });
      assert.deepEqual(receiver.paths(), PATHS);
      assert.ok(receiver.instances() < PATHS.length, `${receiver.instances()} instances`);
      assert.ok(receiver.batches.length < PATHS.length, `${receiver.batches.length} batches`);
    } finally {
      await receiver.stop();
    }
  });
}

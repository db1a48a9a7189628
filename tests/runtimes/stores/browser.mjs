// @ts-check

// Runs Chromium, and serves pages that have the built package.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { within } from "../../js/harness.mjs";
import { serve } from "../../loopback.mjs";

// The signal by which `node --test` ends a file that takes too long; no browser may outlive it.
process.once("SIGTERM", () => process.exit(1));

const ARGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
  // For pages that are not secure, as those of 127.0.0.1 are.
  "--host-resolver-rules=MAP insecure.test 127.0.0.1",
];

/**
 * Starts Chromium with a profile. It is not started by playwright, which would disable the
 * back/forward cache, and could not kill it like a crash does.
 *
 * @param {string} profile
 */
export async function startBrowser(profile) {
  const args = [...ARGS, `--user-data-dir=${profile}`, "about:blank"];
  // In a process group of its own, because it starts others.
  const options = { detached: true, stdio: /** @type {any} */ (["ignore", "ignore", "pipe"]) };
  const child = spawn("/usr/bin/chromium", args, options);
  const exit = once(child, "exit");
  const kill = () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), "SIGKILL");
    } catch {
      // It has ended already.
    }
  };
  process.once("exit", kill);
  const stop = async () => {
    kill();
    await exit;
    process.off("exit", kill);
  };
  let printed = "";
  /** @type {Promise<string>} */
  const address = new Promise((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      printed += text;
      const told = /DevTools listening on (ws:\S+)/.exec(printed);
      if (told?.[1] !== undefined) resolve(told[1]);
    });
    exit.then(() => reject(new Error(`Chromium does not start: ${printed}`)));
  });
  try {
    const url = await within(address, () => `Chromium says nothing but ${printed}`, 30_000);
    const browser = await chromium.connectOverCDP(url);
    const [context] = browser.contexts();
    if (context === undefined) throw new Error("Chromium has no context");
    context.setDefaultTimeout(30_000);
    return { context, kill: stop, stop: () => browser.close().then(stop, stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A directory for a browser's profile, to be removed when the browser has ended. */
export async function makeProfile() {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-chromium-"));
  // A killed browser may still be ending.
  const remove = () => rm(directory, { recursive: true, maxRetries: 10 });
  return { directory, remove };
}

const PAGE = `<!doctype html>
<script type="importmap">
  { "imports": { "shardbus/stores/indexeddb": "/dist/stores/indexeddb.js" } }
</script>
`;

/** Serves an empty page that can import the package: an origin of its own for each test. */
export async function servePages() {
  const server = await serve(async ({ url = "/" }, response) => {
    if (!url.startsWith("/dist/")) return response.setHeader("content-type", "text/html").end(PAGE);
    try {
      const path = fileURLToPath(new URL(`../../../pkg-js${url}`, import.meta.url));
      const source = await readFile(path);
      response.setHeader("content-type", "text/javascript").end(source);
    } catch {
      response.writeHead(404).end();
    }
  });
  return {
    url: `${server.url}/`,
    insecureUrl: `http://insecure.test:${server.port}/`,
    stop: server.stop,
  };
}

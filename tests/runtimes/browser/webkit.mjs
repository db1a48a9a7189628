// @ts-check

// WebKitGTK's MiniBrowser, driven by the WebDriver protocol, on a screen that nobody sees.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { eventually, within } from "../../js/harness.mjs";
import { freePort } from "../../loopback.mjs";
import { callSource } from "./puppeteer.mjs";

const BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";

// The signal by which `node --test` ends a file that takes too long; no process that it started may
// outlive it.
process.once("SIGTERM", () => process.exit(1));

/**
 * Starts a program that runs until it is stopped.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function start(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const exit = once(child, "exit");
  const kill = () => child.kill();
  process.once("exit", kill);
  return {
    /** Its output on file descriptor 3. */
    output: /** @type {import("node:stream").Readable} */ (child.stdio[3]),
    exit,
    async stop() {
      kill();
      await within(exit, () => `${program} does not end`).catch(() => {
        child.kill("SIGKILL");
        return exit;
      });
      process.off("exit", kill);
    },
  };
}

/** @returns {Promise<import("./puppeteer.mjs").Browser>} */
export async function launchWebKit() {
  const screen = start("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"]);
  const started = [screen];
  const stop = async () => {
    for (const program of started.reverse()) await program.stop();
  };
  try {
    const [display] = await within(once(screen.output, "data"), () => "Xvfb does not start");
    const port = await freePort();
    const env = { ...process.env, DISPLAY: `:${String(display).trim()}` };
    started.push(start("WebKitWebDriver", [`--port=${port}`], env));
    return await newSession(`http://127.0.0.1:${port}`, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * @param {string} url the driver's
 * @param {() => Promise<void>} stopDriver
 * @returns {Promise<import("./puppeteer.mjs").Browser>}
 */
async function newSession(url, stopDriver) {
  // It does not say when it listens.
  const isListening = () => command(url, "GET", "/status").catch(() => undefined);
  await eventually(isListening, () => "WebKitWebDriver does not listen");
  const options = { binary: BROWSER, args: ["--automation"] };
  // The callers of the page have shorter limits.
  const timeouts = { script: 600_000 };
  const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": options, timeouts } };
  const session = await command(url, "POST", "/session", { capabilities });
  let isLost = false;
  /** @param {"GET" | "POST" | "DELETE"} method @param {string} path @param {object} [parameters] */
  const tell = (method, path, parameters) =>
    command(url, method, `/session/${session.sessionId}${path}`, parameters).catch((error) => {
      // The driver ends the session of a browser that has crashed.
      isLost ||= error.cause === "invalid session id";
      throw error;
    });

  // Commands go by way of a window that is there.
  const first = await tell("GET", "/window");

  return {
    version: `${session.capabilities.browserName} ${session.capabilities.browserVersion}`,
    async isLost() {
      await tell("GET", "/window").catch(() => {});
      return isLost;
    },
    async open(pageUrl) {
      // A window, because it can be hidden by itself.
      await tell("POST", "/window", { handle: first });
      const { handle } = await tell("POST", "/window/new", { type: "window" });
      /** @param {"POST" | "DELETE"} method @param {string} path @param {object} [parameters] */
      const tellWindow = async (method, path, parameters) => {
        await tell("POST", "/window", { handle });
        return tell(method, path, parameters);
      };
      await tellWindow("POST", "/url", { url: pageUrl });
      return {
        async call(method, ...args) {
          const script = `const done = arguments[0];
            Promise.resolve(${callSource(method, args)}).then(
              (value) => done({ value }), (error) => done({ error: String(error) }))`;
          const result = await tellWindow("POST", "/execute/async", { script, args: [] });
          if (result.error !== undefined) throw new Error(result.error);
          return result.value;
        },
        goto: (url) => tellWindow("POST", "/url", { url }),
        back: () => tellWindow("POST", "/back", {}),
        hide: () => tellWindow("POST", "/window/minimize", {}),
        show: () => tellWindow("POST", "/window/rect", {}),
        setOffline: undefined,
        close: () => tellWindow("DELETE", "/window"),
      };
    },
    async stop() {
      try {
        if (!isLost) await tell("DELETE", "");
      } finally {
        await stopDriver();
      }
    },
  };
}

/**
 * @param {string} url
 * @param {string} method
 * @param {string} path
 * @param {object} [parameters]
 */
async function command(url, method, path, parameters) {
  const body = parameters && JSON.stringify(parameters);
  const response = await fetch(url + path, { method, body: body ?? null });
  const { value } = /** @type {any} */ (await response.json());
  if (response.ok) return value;
  const message = `${method} ${path}: ${value.error} ${value.message}`;
  throw new Error(message, { cause: value.error });
}

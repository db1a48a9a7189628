// @ts-check

// Serves the built page, and visits it in Chromium.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { serve } from "../loopback.mjs";
import { makeProfile, startBrowser } from "../runtimes/stores/browser.mjs";

/** @type {Record<string, string>} */
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** As strict as a page with WebAssembly can be. An import map is inline, so it is let in by its hash. */
function policyFor(/** @type {Buffer} */ body) {
  const map = /<script type="importmap">(.*?)<\/script>/s.exec(String(body))?.[1];
  const hash = map && `'sha256-${createHash("sha256").update(map).digest("base64")}'`;
  const scripts = ["script-src 'self' 'wasm-unsafe-eval'", hash].filter(Boolean).join(" ");
  return `default-src 'self'; ${scripts}; connect-src 'self' http://127.0.0.1:*`;
}

/**
 * Serves files, under a Content-Security-Policy.
 *
 * @param {string} directory
 */
export async function serveDirectory(directory) {
  const server = await serve(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const file = pathname === "/" ? "/index.html" : pathname;
    try {
      const body = await readFile(join(directory, file));
      const type = TYPES[extname(file)] ?? "";
      const headers = { "content-type": type, "content-security-policy": policyFor(body) };
      response.writeHead(200, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return {
    url: `${server.url}/`,
    stop: server.stop,
  };
}

/** One Chromium for all fixtures, started by the first that needs it. */
export class Browser {
  /** @type {Promise<{ context: import("playwright-core").BrowserContext, stop: () => Promise<void> }> | undefined} */
  #started;

  async #start() {
    const profile = await makeProfile();
    const { context, stop } = await startBrowser(profile.directory);
    return { context, stop: () => stop().then(profile.remove) };
  }

  /**
   * Opens a page, which stays open until it is closed.
   *
   * @param {string} url
   * @param {(error: string) => void} onError
   */
  async visit(url, onError) {
    this.#started ??= this.#start();
    const { context } = await this.#started;
    const page = await context.newPage();
    page.on("pageerror", (error) => onError(String(error)));
    page.on("console", (message) => {
      // A browser asks for it by itself.
      const isIcon = message.location().url.endsWith("/favicon.ico");
      if (message.type() === "error" && !isIcon) onError(message.text());
    });
    page.on("crash", () => onError("the page crashed"));
    await page.goto(url, { timeout: 60_000 });
    return { stop: () => page.close() };
  }

  async stop() {
    if (this.#started !== undefined) await this.#started.then(({ stop }) => stop());
  }
}

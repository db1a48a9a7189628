// @ts-check

// Runs the suite in browsers: each file in a page of its own.
import { existsSync } from "node:fs";
import { within } from "../../js/harness.mjs";
import { serve } from "../../loopback.mjs";
import { launchChromium, launchFirefox } from "../browser/puppeteer.mjs";
import { startBrowser } from "../browser/restart.mjs";
import { launchWebKit } from "../browser/webkit.mjs";
import { bundleTest } from "./bundle.mjs";
import { FILE_TIMEOUT_MS, oneByOne, Unavailable } from "./runtime.mjs";

/** The page of a file, with the functions that the drivers call. */
const page = (/** @type {string} */ script) => `<!doctype html>
<title>${script}</title>
<script>
  globalThis.page = { run: async () => (await import("/${script}")).run() };
</script>`;

/** Serves scripts by their names, and a page for each. @param {Map<string, string>} scripts */
async function serveScripts(scripts) {
  return serve(async (request, response) => {
    const name = String(request.url).slice(1);
    if (name.endsWith(".html")) {
      response.setHeader("content-type", "text/html");
      response.end(page(name.replace(/html$/, "js")));
      return;
    }
    const script = scripts.get(name);
    response.writeHead(script === undefined ? 404 : 200, { "content-type": "text/javascript" });
    response.end(script);
  });
}

/** The script of each test file, made once for all browsers. @type {Map<string, Promise<string>>} */
const made = new Map();

/** @param {string} file */
function scriptOf(file) {
  const known = made.get(file);
  if (known !== undefined) return known;
  const options = { conditions: ["browser"], write: false };
  const script = bundleTest(file, "page.js", options).then(([output]) => output?.text ?? "");
  made.set(file, script);
  return script;
}

/**
 * @param {string} name
 * @param {string} program the program that starts the browser
 * @param {() => Promise<import("../browser/puppeteer.mjs").Browser>} launch
 * @returns {import("./runtime.mjs").Runtime}
 */
const inBrowser = (name, program, launch) => ({
  name,
  skips: {},
  hasNode: false,
  async start() {
    if (!existsSync(program)) throw new Unavailable(`${program} is missing`);
    const browser = await startBrowser(launch);
    /** @type {Map<string, string>} */
    const scripts = new Map();
    const site = await serveScripts(scripts);
    let pages = 0;

    const runFile = async (/** @type {string} */ file) => {
      const page = `${pages++}`;
      scripts.set(`${page}.js`, await scriptOf(file));
      const tab = await browser.open(`${site.url}/${page}.html`);
      try {
        return await within(tab.call("run"), () => "it does not end", FILE_TIMEOUT_MS);
      } finally {
        await tab.close();
      }
    };

    /** Runs a file, and once more if the browser crashes. @param {string} file */
    const runFileInBrowser = (file) =>
      browser.run(
        () => runFile(file),
        (error) => console.log(`${name} has crashed during ${file}: ${error}`),
      );

    return {
      version: browser.version,
      runFiles: (files) => oneByOne(files, runFileInBrowser),
      async stop() {
        await browser.stop();
        await site.stop();
      },
    };
  },
});

export const browsers = [
  inBrowser("Chromium", "/usr/bin/chromium", launchChromium),
  inBrowser("Firefox", "/usr/bin/firefox-esr", launchFirefox),
  inBrowser("WebKit", "/usr/bin/WebKitWebDriver", launchWebKit),
];

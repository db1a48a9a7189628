// @ts-check

// Runs the suite in browsers: each file in a page of its own.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../../loopback.mjs";
import { launchChromium, launchFirefox } from "../browser/puppeteer.mjs";
import { launchWebKit } from "../browser/webkit.mjs";
import { bundleTest } from "./bundle.mjs";
import { portableTests } from "./files.mjs";
import { summary } from "./summary.mjs";

/** The page of a file: it has what the drivers call. */
const page = (/** @type {string} */ script) => `<!doctype html>
<title>${script}</title>
<script type="module">
  import { run } from "/${script}";
  globalThis.page = { run };
</script>`;

/** Serves the files of a directory, and a page for each. @param {string} directory */
async function serveFiles(directory) {
  return serve(async (request, response) => {
    const name = String(request.url).slice(1);
    if (name.endsWith(".html")) {
      response.setHeader("content-type", "text/html");
      response.end(page(name.replace(/html$/, "js")));
      return;
    }
    response.setHeader("content-type", "text/javascript");
    response.end(await readFile(join(directory, name)).catch(() => ""));
  });
}

/**
 * @param {string} name
 * @param {string} program what the browser is started by
 * @param {() => Promise<import("../browser/puppeteer.mjs").Browser>} launch
 * @returns {import("./run.mjs").Runtime}
 */
const inBrowser = (name, program, launch) => ({
  name,
  async run() {
    if (!existsSync(program)) throw new Error(`${program} is missing`);
    const directory = await mkdtemp(join(tmpdir(), "shardbus-suite-"));
    const site = await serveFiles(directory);
    const browser = await launch();
    try {
      const results = [];
      for (const [index, file] of (await portableTests()).entries()) {
        await bundleTest(file, join(directory, `${index}.js`), { conditions: ["browser"] });
        const tab = await browser.open(`${site.url}/${index}.html`);
        const result = await tab.call("run").catch((cause) => {
          throw new Error(`${file}: ${cause.message}`, { cause });
        });
        results.push({ file, ...result });
        await tab.close();
      }
      return summary(browser.version, results, []);
    } finally {
      await browser.stop();
      await site.stop();
      await rm(directory, { recursive: true });
    }
  },
});

export const browsers = [
  inBrowser("Chromium", "/usr/bin/chromium", launchChromium),
  inBrowser("Firefox", "/usr/bin/firefox-esr", launchFirefox),
  inBrowser("WebKit", "/usr/bin/WebKitWebDriver", launchWebKit),
];

// @ts-check
// The built site, in Chromium.
import { extname } from "node:path";
import { after, assert, before, eventually, test } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";
import { makeProfile, startBrowser } from "../runtimes/stores/browser.mjs";
import { sendFile } from "../send-file.mjs";

const dist = new URL("../../docs/.vitepress/dist/", import.meta.url);

/** @type {Awaited<ReturnType<typeof serve>>} */
let server;
/** @type {Awaited<ReturnType<typeof makeProfile>>} */
let profile;
/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;

before(async () => {
  server = await serve(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://site.example");
    const path = `.${pathname}${pathname.endsWith("/") ? "index" : ""}`;
    sendFile(response, new URL(extname(path) === "" ? `${path}.html` : path, dist));
  });
  profile = await makeProfile();
  browser = await startBrowser(profile.directory);
});

after(async () => {
  await browser?.stop();
  await profile?.remove();
  await server?.stop();
});

/** Opens a page for the time of some work. @param {string} path @param {(page: import("playwright-core").Page) => Promise<void>} work */
async function withPage(path, work) {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(60_000);
  try {
    await page.goto(server.url + path);
    await work(page);
  } finally {
    await page.close();
  }
}

test("the demo is on the front, and begins by itself", async () => {
  await withPage("/", async (page) => {
    const delivered = page.locator('[data-count="delivered"]');
    const isRunning = async () => Number((await delivered.textContent())?.replace(",", "")) > 100;
    await eventually(isRunning, () => "the demo delivers nothing", 60_000);
    // The front is left without an error, and the bus goes with it.
    await page.click("text=Get started");
    await page.waitForSelector("h1:has-text('Node')");
    assert.equal(await page.locator("iframe").count(), 0);
  });
});

test("search finds an option by its name", async () => {
  await withPage("/options", async (page) => {
    await page.click(".VPNavBarSearch button");
    await page.fill(".VPLocalSearchBox input", "maxRetryAfterMs");
    await page.waitForSelector(".VPLocalSearchBox .result:has-text('retry.maxRetryAfterMs')");
  });
});

for (const path of ["/", "/options", "/sinks", "/comparison", "/how-it-works", "/api/sinks/http"]) {
  test(`${path} is not wider than a phone`, async () => {
    await withPage(path, async (page) => {
      await page.setViewportSize({ width: 375, height: 812 });
      await page.waitForSelector("h1");
      assert.isAtMost(await page.evaluate(() => document.documentElement.scrollWidth), 375);
    });
  });
}

for (const path of ["/", "/start/node", "/options", "/how-it-works"]) {
  test(`axe finds nothing at ${path}`, async () => {
    await withPage(path, async (page) => {
      await page.waitForSelector("h1");
      await page.addScriptTag({ path: new URL(import.meta.resolve("axe-core")).pathname });
      const findings = await page.evaluate(async () => {
        // VitePress's search button shows its keys beside its name.
        const rules = { "label-content-name-mismatch": { enabled: false } };
        const { violations } = await /** @type {any} */ (window).axe.run({ rules });
        return violations.map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes[0].html}`);
      });
      assert.deepEqual(findings, []);
    });
  });
}

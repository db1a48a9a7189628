// @ts-check
// The tests of the demo, for any engine.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildDemo } from "../../demo/build.mjs";
import { after, assert, before, eventually, test } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";
import { sendFile } from "../send-file.mjs";

/** @typedef {import("../runtimes/browser/puppeteer.mjs").Tab} Tab */

const PATIENCE_MS = 60_000;

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>The demo</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/page.css" />
    <link rel="stylesheet" href="/demo.css" />
    <script src="/axe.js"></script>
  </head>
  <body>
    <main><h1>The demo</h1><div id="demo"></div></main>
    <script type="module" src="/page.js"></script>
  </body>
</html>`;

/** Serves the demo as it is built, in a page for tests. */
export async function startSite() {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-demo-"));
  await buildDemo(directory);
  /** @param {string} path */
  const fileOf = (path) => {
    if (path === "/page.js") return new URL("page.mjs", import.meta.url);
    if (path === "/axe.js") return new URL(import.meta.resolve("axe-core"));
    return pathToFileURL(join(directory, path));
  };
  const server = await serve(({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://site.example");
    if (pathname !== "/" && pathname !== "/dark") return sendFile(response, fileOf(pathname));
    response.setHeader("content-type", "text/html");
    response.end(pathname === "/" ? PAGE : PAGE.replace("<html", '<html class="dark"'));
  });
  const stop = async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  };
  return { url: server.url, stop };
}

/** @param {() => Promise<import("../runtimes/browser/puppeteer.mjs").Browser>} launch */
export function testDemo(launch) {
  /** @type {Awaited<ReturnType<typeof startSite>>} */
  let site;
  /** @type {import("../runtimes/browser/puppeteer.mjs").Browser} */
  let browser;

  before(async () => {
    site = await startSite();
    browser = await launch();
  });
  after(async () => {
    await browser?.stop();
    await site?.stop();
  });

  /** Opens the demo for the time of some work. @param {string} path @param {(tab: Tab) => Promise<void>} work */
  async function withDemo(path, work) {
    const tab = await browser.open(site.url + path);
    try {
      const hasBegun = () =>
        tab.call("account").then(
          ({ delivered }) => delivered > 0,
          () => false,
        );
      await eventually(hasBegun, () => "the demo does not begin by itself", PATIENCE_MS);
      await work(tab);
      const { frames, unbalanced, unlike } = await tab.call("seen");
      assert.isAbove(frames, 0);
      assert.deepEqual({ unbalanced, unlike }, { unbalanced: 0, unlike: 0 });
    } finally {
      await tab.close();
    }
  }

  /** Waits until the account fulfils a condition. @param {Tab} tab @param {string} what @param {(account: import("../../demo/ledger.js").Account) => boolean} condition */
  async function reaches(tab, what, condition) {
    /** @type {any} */
    let account;
    const isThere = async () => {
      account = await tab.call("account");
      return condition(account);
    };
    await eventually(isThere, () => `${what}: ${JSON.stringify(account)}`, PATIENCE_MS);
    return account;
  }

  test("it begins by itself, and the receiver has the delivered events", async (t) => {
    t.diagnostic(browser.version);
    await withDemo("/", async (tab) => {
      await reaches(tab, "500 events are not delivered", ({ delivered }) => delivered > 500);
      const { delivered } = await tab.call("account");
      assert.isAtLeast((await tab.call("receiver")).stored, delivered);
    });
  });

  test("in an outage shards fill, losses are counted, and the rest arrives later", async () => {
    await withDemo("/", async (tab) => {
      await tab.call("choose", "weather", "down");
      await tab.call("choose", "rate", "2000");
      await reaches(tab, "nothing is evicted", ({ losses }) => losses.evicted > 100);
      const hasLost = async () => (await tab.call("ghost")).lost > 0;
      await eventually(hasLost, () => "the array loses nothing", PATIENCE_MS);
      await tab.call("choose", "rate", "50");
      await tab.call("choose", "weather", "up");
      const isRecovered = (/** @type {any} */ { waiting, inFlight }) => waiting + inFlight < 200;
      const account = await reaches(tab, "the shards stay full", isRecovered);
      assert.equal(account.losses.abandoned, 0);
    });
  });

  test("another policy refuses events, and counts them", async () => {
    await withDemo("/", async (tab) => {
      // The bus is replaced while its batches are on their way.
      await tab.call("choose", "weather", "slow");
      await reaches(tab, "nothing is in flight", ({ inFlight }) => inFlight > 0);
      await tab.call("choose", "backpressure", "fail-producer");
      await reaches(tab, "nothing is delivered", ({ delivered }) => delivered > 100);
      assert.include(await tab.call("code"), 'backpressure: "fail-producer"');
      await tab.call("choose", "weather", "down");
      await tab.call("choose", "rate", "2000");
      const { losses } = await reaches(
        tab,
        "nothing is refused",
        ({ losses }) => losses.refused > 0,
      );
      // The next bus got the events that the first could not send.
      assert.equal(losses.gone, 0);
    });
  });

  test("a closed tab takes its events along, and with an outbox the next one sends them", async () => {
    await withDemo("/", async (tab) => {
      await tab.call("choose", "weather", "down");
      await reaches(tab, "nothing waits", ({ waiting }) => waiting > 50);
      await tab.call("press", "closeTab");
      const { losses } = await reaches(tab, "nothing is gone", ({ losses }) => losses.gone > 50);
      await tab.call("changed");

      await tab.call("choose", "store", "");
      assert.include(await tab.call("code"), "store: indexedDbStore()");
      await reaches(tab, "nothing waits", ({ waiting, inFlight }) => waiting + inFlight > 50);
      assert.equal(await tab.call("storeError"), "");
      await tab.call("press", "closeTab");
      await reaches(tab, "the outbox is empty", ({ outbox }) => outbox > 50);
      await tab.call("choose", "weather", "up");
      const account = await reaches(tab, "the outbox stays full", ({ outbox }) => outbox === 0);
      assert.equal(account.losses.gone, losses.gone);
    });
  });

  test("shards are added and drained", async () => {
    await withDemo("/", async (tab) => {
      assert.equal(await tab.call("shards"), 3);
      await tab.call("press", "scaleUp");
      await eventually(
        async () => (await tab.call("shards")) === 4,
        () => "there is no fourth shard",
      );
      await tab.call("press", "scaleDown");
      const isDrained = async () => (await tab.call("shards")) === 3;
      await eventually(isDrained, () => "the shard is not removed", PATIENCE_MS);
    });
  });

  for (const path of ["/", "/dark"]) {
    test(`axe finds nothing at ${path}`, async () => {
      await withDemo(path, async (tab) => {
        assert.deepEqual(await tab.call("inspect"), []);
      });
    });
  }

  test("nothing flies for those who want less motion", async () => {
    await withDemo("/?still", async (tab) => {
      await reaches(tab, "100 events are not delivered", ({ delivered }) => delivered > 100);
      assert.equal((await tab.call("seen")).dots, 0);
    });
  });
}

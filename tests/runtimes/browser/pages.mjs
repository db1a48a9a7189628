// @ts-check

// What a bus does in a page, in whichever engine.
import {
  accountedStats,
  after,
  afterEach,
  assert,
  before,
  beforeEach,
  test,
} from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startSite } from "./site.mjs";

/** @param {string} tag @param {number} count */
const made = (tag, count) => Array.from({ length: count }, (_, i) => `${tag}${i}`);

/** @param {() => Promise<import("./puppeteer.mjs").Browser>} launch */
export function testPages(launch) {
  /** @type {import("./puppeteer.mjs").Browser} */
  let browser;
  /** @type {Awaited<ReturnType<typeof startSite>>} */
  let site;
  /** @type {Awaited<ReturnType<typeof startCollector>>} */
  let collector;
  /** How many were opened. */
  let pages = 0;

  before(async () => {
    browser = await launch();
  });
  after(() => browser.stop());
  beforeEach(async () => {
    site = await startSite();
    pages = 0;
    collector = await startCollector();
  });
  afterEach(async () => {
    await site.stop();
    await collector.stop();
  });

  /** Opens the page. @param {{ [name: string]: string }} [settings] */
  async function open(settings = {}) {
    const collectorUrl = `http://127.0.0.1:${collector.port}`;
    const search = new URLSearchParams({ collector: collectorUrl, ...settings });
    const tab = await browser.open(`${site.url}/?${search}`);
    await site.saw("loaded", ++pages);
    return tab;
  }

  test("events arrive, each once", async (t) => {
    t.diagnostic(browser.version);
    const tab = await open();
    await tab.call("open");
    await tab.call("ingest", { count: 1000 });
    await tab.call("flush");
    assert.deepEqual(collector.events(), made("", 1000));
    const stats = await tab.call("stats");
    assert.equal(accountedStats({ stats: () => stats }).delivered, 1000);
    await tab.close();
  });
}

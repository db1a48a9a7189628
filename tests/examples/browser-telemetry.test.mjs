// @ts-check
import { startServer } from "../../examples/browser-telemetry/server.mjs";
import { after, assert, before, eventually, test } from "../js/harness.mjs";
import { makeProfile, startBrowser } from "../runtimes/stores/browser.mjs";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof makeProfile>>} */
let profile;
/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  server = await startServer();
  profile = await makeProfile();
  browser = await startBrowser(profile.directory);
  page = await browser.context.newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(server.url);
});

after(async () => {
  await browser?.stop();
  await profile?.remove();
  await server?.stop();
});

/** The numbers of the panel. */
const panel = () =>
  page.evaluate(() => {
    const ids = ["offered", "delivered", "in-flight", "waiting", "lost"];
    const number = (/** @type {string} */ id) =>
      Number(document.getElementById(id)?.textContent?.replace(",", ""));
    const [offered, delivered, inFlight, waiting, lost] = ids.map(number);
    return { offered, delivered, inFlight, waiting, lost };
  });

/** Waits until the panel shows that nothing is left in the bus. */
async function emptied() {
  await page.waitForFunction(() =>
    ["in-flight", "waiting"].every((id) => document.getElementById(id)?.textContent === "0"),
  );
  return panel();
}

test("a visitor's actions arrive at the collector, and the panel counts them", async () => {
  for (let i = 0; i < 3; i++) await page.click("#click");
  await page.click("text=Pricing");
  await page.waitForURL(`${server.url}pricing`);
  const { offered, delivered, lost } = await emptied();

  const { events } = server.collector;
  /** @param {string} type */
  const ofType = (type) => events.filter((event) => event.type === type);
  assert.sameMembers(
    ofType("view").map(({ path }) => path),
    ["/", "/pricing"],
  );
  assert.sameMembers(
    ofType("click").map(({ on }) => on),
    ["click", "click", "click", "Pricing"],
  );
  assert.includeMembers(
    ofType("vital").map(({ name }) => name),
    ["TTFB", "FCP"],
  );
  assert.deepEqual([delivered, lost], [offered, 0]);
  assert.lengthOf(events, delivered);
  assert.include(await page.textContent("#batches"), "delivered");
  assert.isTrue(await page.isVisible("#no-losses"));
});

test("with the collector down the rings fill, the losses are shown, and the rest comes later", async () => {
  await page.check("#down", { force: true });
  // It looks on in every frame: soon a batch may be given up, and make room.
  const full = page.waitForFunction(() =>
    [...document.querySelectorAll(".rings strong")].every((ring) => ring.textContent === "511"),
  );
  for (let i = 0; i < 3; i++) await page.click("#burst");
  await full;
  await page.waitForSelector(".retry");
  await page.waitForSelector("#loss-evicted");

  await page.check("#up", { force: true });
  const { offered, delivered, lost } = await emptied();
  assert.isAbove(lost, 0);
  assert.equal(offered, delivered + lost);
  assert.lengthOf(server.collector.events, delivered);
});

test("on a phone nothing is wider than the screen", async () => {
  await page.setViewportSize({ width: 375, height: 812 });
  assert.isAtMost(await page.evaluate(() => document.documentElement.scrollWidth), 375);
});

test("metrics known only at unload still arrive", async () => {
  await page.goto("about:blank");
  const { events } = server.collector;
  /** @param {string} vital */
  const has = (vital) => events.some(({ name }) => name === vital);
  await eventually(
    () => has("INP") && has("CLS"),
    () => `there are ${events.length} events`,
  );
});

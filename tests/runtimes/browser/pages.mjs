// @ts-check

// A bus in a page, in any engine.
import { program } from "../../documents.mjs";
import {
  accountedStats,
  after,
  afterEach,
  assert,
  before,
  beforeEach,
  eventually,
  HOUR_MS,
  quickRetry,
  test as testOnce,
  within,
} from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startBrowser } from "./restart.mjs";
import { startSite } from "./site.mjs";

/** @typedef {import("./puppeteer.mjs").Tab} Tab */

/** Nothing leaves by size or by time. */
const patient = { batch: { minSize: 100_000, maxSize: 100_000, maxDelayMs: HOUR_MS } };

/** The limits of browsers for requests that outlive a page: bytes of bodies, and requests. */
const BUDGET = { bytes: 64 << 10, requests: 9 };

/** The number of reloads of a page. */
const RELOADS = 20;

/** @param {string} tag @param {number} count @param {number} [from] */
const made = (tag, count, from = 0) => Array.from({ length: count }, (_, i) => `${tag}${i + from}`);

/**
 * @param {() => Promise<import("./puppeteer.mjs").Browser>} launch
 * @param {{ [test: string]: string }} [skipped] tests that the engine cannot pass, and why
 */
export function testPages(launch, skipped = {}) {
  /** @type {Awaited<ReturnType<typeof startBrowser>>} */
  let browser;
  /** @type {Awaited<ReturnType<typeof startSite>>} */
  let site;
  /** @type {Awaited<ReturnType<typeof startCollector>>} */
  let collector;
  /** @type {Tab[]} */
  let tabs;
  /** The number of opened pages. */
  let opened = 0;

  const startServers = async () => {
    tabs = [];
    opened = 0;
    site = await startSite();
    collector = await startCollector();
  };
  const stopServers = async () => {
    await collector.stop();
    await site.stop();
  };

  before(async () => {
    browser = await startBrowser(launch);
  });
  after(() => browser?.stop());
  beforeEach(startServers);
  afterEach(async () => {
    await stopServers();
    for (const tab of tabs) await tab.close();
  });

  /**
   * Runs a test, and once more if the browser crashes in the middle of it.
   *
   * @param {string} name
   * @param {(t: import("node:test").TestContext) => Promise<void>} body
   * @param {{ skip?: string | false }} [options]
   */
  function test(name, body, options = {}) {
    testOnce(name, options, async (t) => {
      const onCrash = async (/** @type {unknown} */ error) => {
        t.diagnostic(`the browser has crashed: ${error}`);
        await stopServers();
        await startServers();
      };
      await browser.run(() => body(t), onCrash);
    });
  }

  /**
   * Opens the page.
   *
   * @param {{ [name: string]: string }} [settings]
   */
  async function openPage(settings = {}) {
    const collectorUrl = `http://127.0.0.1:${collector.port}`;
    const search = new URLSearchParams({ collector: collectorUrl, ...settings });
    const tab = await browser.open(`${site.url}/?${search}`);
    tabs.push(tab);
    await site.saw("loaded", ++opened);
    return tab;
  }

  /** Opens the page, with a bus. @param {import("shardbus").EventBusOptions} [options] */
  async function openBus(options = patient) {
    const tab = await openPage();
    await tab.call("open", options);
    return tab;
  }

  /** @param {Tab} tab */
  async function close(tab) {
    tabs = tabs.filter((other) => other !== tab);
    await tab.close();
  }

  /** @param {Tab} tab */
  async function hide(tab) {
    await tab.hide();
    await site.saw("hidden");
  }

  /**
   * The collected events before one that is sent last, when nothing more is expected: by then,
   * events that a page sent twice have come twice. A page that is still open sends it itself.
   *
   * @param {Tab} [tab]
   */
  async function everything(tab) {
    const last = tab ?? (await openBus());
    await last.call("ingest", { tag: "last ", count: 1 });
    await last.call("flush");
    const deliveries = [...collector.log];
    assert.deepEqual(deliveries.pop()?.events, ["last 0"]);
    return { deliveries, events: deliveries.flatMap(({ events }) => events) };
  }

  /** Waits until the page's bus has delivered so much. @param {Tab} tab @param {number} count */
  async function delivered(tab, count) {
    const isSo = async () => (await tab.call("stats")).delivered >= count;
    await eventually(isSo, () => `the bus does not say that it delivered ${count}`);
  }

  /** The requests that may outlive the page. */
  const keptAlive = () => collector.log.filter(({ keepalive }) => keepalive);

  test("events arrive, each once", async (t) => {
    t.diagnostic(browser.version);
    const tab = await openBus({});
    await tab.call("ingest", { count: 1000 });
    await tab.call("flush");
    assert.deepEqual(collector.events(), made("", 1000));
    const stats = await tab.call("stats");
    assert.equal(accountedStats({ stats: () => stats }).delivered, 1000);
  });

  test("the documented page sends its events when it is left", async () => {
    const example = await program("docs/start/pages.md", "preflight: false");
    const tab = await openPage();
    const collectorUrl = `http://127.0.0.1:${collector.port}`;
    await tab.call("run", example.replace("https://collector.example", collectorUrl));
    await tab.call("ingest", { count: 10 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    assert.deepEqual(await collector.nthEvent(10), made("", 10));
    assert.equal(collector.preflights(), 0);
  });

  /** Ways to leave the page. @type {{ [how: string]: (tab: Tab) => Promise<void> }} */
  const exits = {
    "is left for a page of its site": (tab) => tab.goto(`${site.url}/elsewhere`),
    "is left for another site": (tab) => tab.goto(`${site.otherUrl}/elsewhere`),
    "is left for about:blank": (tab) => tab.goto("about:blank"),
    "is closed": (tab) => close(tab),
    "is hidden": (tab) => hide(tab),
  };

  for (const [how, exit] of Object.entries(exits)) {
    const name = `when the page ${how}, pending events are sent, once`;
    const body = async () => {
      const tab = await openBus();
      await tab.call("ingest", { count: 100 });
      assert.lengthOf(collector.log, 0);
      await exit(tab);
      await collector.nthEvent(100);
      const { deliveries, events } = await everything(how === "is hidden" ? tab : undefined);
      assert.deepEqual(events, made("", 100));
      assert.lengthOf(deliveries, 1);
      assert.isTrue(deliveries[0]?.keepalive);
    };
    test(name, body, { skip: skipped[how] ?? false });
  }

  test("the HTTP sink compresses in a page, unless the page goes", async () => {
    const tab = await openPage();
    await tab.call("openWithSink", patient, { gzip: true });
    await tab.call("ingest", { tag: "a", count: 100 });
    await tab.call("flush");
    assert.deepInclude(await collector.nth(1), { events: made("a", 100), isCompressed: true });

    await tab.call("ingest", { tag: "b", count: 100 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    assert.deepInclude(await collector.nth(2), { events: made("b", 100), isCompressed: false });
  });

  test("a body that the HTTP sink was compressing when the page was hidden is sent uncompressed", async () => {
    const tab = await openPage();
    await tab.call("stopCompression");
    await tab.call("openWithSink", { batch: { minSize: 10 } }, { gzip: true });
    await tab.call("ingest", { count: 10 });
    await hide(tab);
    assert.deepInclude(await collector.nth(1), { events: made("", 10), isCompressed: false });
  });

  test("the HTTP sink is not redirected in a page, and its batch waits", async () => {
    const tab = await openPage();
    for (const status of [302, 308]) {
      // Relative, as pages have it.
      await tab.call("openWithSink", { retry: quickRetry }, {}, `/redirect?${status}`);
      await tab.call("ingest", { count: 1 });
      const isRetried = async () => (await tab.call("stats")).batches.retries > 2;
      await eventually(isRetried, () => `${status} is not retried`, 30_000);
      const { delivered, lastError } = await tab.call("stats");
      assert.equal(delivered, 0);
      assert.include(lastError.message, "The receiver redirects elsewhere");
    }
    assert.equal(site.count("redirected"), 0);
  });

  test("of a collector elsewhere, the browser asks first unless the type is a plain one", async () => {
    for (const [type, preflights] of /** @type {const} */ ([
      ["text/plain", 0],
      ["application/x-ndjson", 1],
    ])) {
      const tab = await openPage({ type });
      await tab.call("open", patient);
      await tab.call("ingest", { tag: type, count: 1 });
      await tab.goto(`${site.otherUrl}/elsewhere`);
      await collector.nth(tabs.length);
      assert.equal(collector.preflights(), preflights);
    }
    assert.deepEqual(collector.events(), ["text/plain0", "application/x-ndjson0"]);
  });

  test("events ingested in the task that leaves the page are sent once", async () => {
    const tab = await openBus();
    await tab.call("ingestAndLeave", `${site.otherUrl}/elsewhere`, { count: 100 });
    await collector.nthEvent(100);
    const { deliveries, events } = await everything();
    assert.deepEqual(events, made("", 100));
    assert.lengthOf(deliveries, 1);
  });

  test("events that document listeners ingest when the page is hidden are sent too", async () => {
    const tab = await openBus();
    await tab.call("ingestOnDocument", "visibilitychange", { tag: "vitals ", count: 1 });
    await tab.call("ingest", { count: 1 });
    await hide(tab);
    assert.deepEqual((await collector.nth(1)).events, ["0", "vitals 0"]);
  });

  test("events that other listeners ingest at unload are sent, whether they run earlier or later", async () => {
    const tab = await openPage();
    await tab.call("ingestOn", "visibilitychange", { tag: "before ", count: 1 });
    await tab.call("ingestOn", "pagehide", { tag: "first ", count: 1 });
    await tab.call("open", patient);
    await tab.call("ingestOn", "visibilitychange", { tag: "after ", count: 1 });
    await tab.call("ingestOn", "pagehide", { tag: "final ", count: 1 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    await collector.nthEvent(4);
    const { events } = await everything();
    assert.sameMembers(events, ["before 0", "after 0", "first 0", "final 0"]);
  });

  test("batches in flight at unload are not sent again, and later events are sent", async () => {
    const tab = await openBus();
    collector.holdNext(2);
    await tab.call("ingest", { tag: "a", count: 10 });
    await hide(tab);
    const first = await collector.nth(1);
    await tab.call("ingest", { tag: "b", count: 10 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    const second = await collector.nth(2);
    assert.deepEqual([first.events, second.events], [made("a", 10), made("b", 10)]);
    for (const delivery of [first, second]) delivery.answer();
    // Had it been cut off, the collector would not know whether it had got all.
    assert.deepEqual(await Promise.all([first.ended, second.ended]), [true, true]);
    assert.lengthOf((await everything()).deliveries, 2);
  });

  for (const exitOrder of /** @type {const} */ (["oldest", "newest"])) {
    test(`of more than the page may send when it goes, the ${exitOrder} goes first`, async () => {
      const tab = await openBus({ ...patient, exitOrder });
      await tab.call("ingest", { count: 1000, size: 100 });
      await tab.goto(`${site.otherUrl}/elsewhere`);
      await collector.nth(1);
      const { deliveries } = await everything();
      assert.lengthOf(deliveries, 1);
      const [sent] = keptAlive();
      const count = sent?.events.length ?? 0;
      assert.isAtLeast(count, 500);
      assert.isBelow(sent?.bytes ?? 0, BUDGET.bytes);
      const from = exitOrder === "oldest" ? 0 : 1000 - count;
      assert.deepEqual(
        sent?.events.map((event) => event.trim()),
        made("", count, from),
      );
    });
  }

  test("of more than a page may send when it goes, the rest is sent if it stays after all", async () => {
    const tab = await openBus();
    await tab.call("ingest", { count: 2000, size: 100 });
    await hide(tab);
    await collector.nthEvent(2000);
    const { events } = await everything(tab);
    assert.deepEqual(
      events.map((event) => event.trim()),
      made("", 2000),
    );
    assert.isTrue(collector.log[0]?.keepalive);
    assert.deepEqual(await tab.call("failures"), []);
  });

  for (const [whose, method] of /** @type {const} */ ([
    ["a page", "open"],
    ["two copies of the package", "openCopy"],
  ])) {
    test(`the buses of ${whose} share a page's budget at unload`, async () => {
      const tab = await openPage();
      collector.holdNext(2);
      await tab.call("open", patient, "a");
      await tab.call(method, patient, "b");
      for (const tag of ["a", "b"]) {
        await tab.call("ingest", { bus: tag, tag, count: 500, size: 100 });
      }
      await hide(tab);
      await collector.nth(2);
      const bytes = keptAlive().reduce((sum, delivery) => sum + delivery.bytes, 0);
      assert.isAtLeast(bytes, 50_000);
      assert.isBelow(bytes, BUDGET.bytes);
      for (const delivery of collector.log) delivery.answer();
      await collector.nthEvent(1000);
      await tab.call("flush", "b");
      await tab.call("open", patient);
      const { events } = await everything(tab);
      assert.lengthOf(events, 1000);
      assert.lengthOf(new Set(events), 1000);
      assert.deepEqual(await tab.call("failures"), []);
    });
  }

  test("a page has no more requests that outlive it than browsers allow", async () => {
    const tab = await openPage();
    const tags = made("bus ", BUDGET.requests + 3);
    collector.holdNext(tags.length);
    for (const tag of tags) {
      await tab.call("open", patient, tag);
      await tab.call("ingest", { bus: tag, tag, count: 1 });
    }
    await hide(tab);
    const answerAll = () => {
      for (const delivery of collector.log) delivery.answer();
      return collector.log.length === tags.length;
    };
    await eventually(answerAll, () => `${collector.log.length} of ${tags.length} requests came`);
    assert.lengthOf(keptAlive(), BUDGET.requests);
    assert.deepEqual(await tab.call("failures"), []);

    const mayOutliveAgain = async () => {
      await tab.call("ingest", { bus: tags[0], count: 1 });
      await tab.call("flush", tags[0]);
      return keptAlive().length > BUDGET.requests;
    };
    await eventually(mayOutliveAgain, () => "no later request may outlive the page");
  });

  test("other scripts' requests in flight cost an attempt, and no events", async () => {
    const tab = await openBus({ ...patient, retry: quickRetry });
    collector.holdNext();
    await tab.call("hog", 60_000);
    await collector.nth(1);
    await tab.call("ingest", { count: 1000, size: 10 });
    await tab.call("flush");
    const [, delivery] = collector.log;
    assert.deepInclude(delivery, { attempt: 2, keepalive: false, bytes: 9999 });
    assert.lengthOf(await tab.call("failures"), 1);
  });

  test("a later page finds in the store the events that a page could not send at unload", async () => {
    const tab = await openPage();
    await tab.call("openWithStore", patient);
    await tab.call("flush");
    await tab.call("ingest", { count: 2000, size: 100 });
    // The rest waits for it.
    collector.holdNext();
    await hide(tab);
    await collector.nth(1);
    await close(tab);
    const arrived = () => new Set(collector.events());
    // A browser may take a while to see that the page has ended.
    const findAll = async () => {
      const next = await openPage();
      await next.call("openWithStore", patient);
      await next.call("flush");
      await close(next);
      return arrived().size >= 2000;
    };
    await eventually(findAll, () => `${arrived().size} events arrived`);
    const byId = new Map(collector.log.map(({ id, events }) => [id, events]));
    assert.lengthOf([...byId.values()].flat(), 2000);
  });

  /** Opens pages with stores until so many events have arrived. @param {number} count */
  async function findInStore(count) {
    const arrived = () => new Set(collector.events().map((event) => event.trim()));
    // A browser may take a while to see that a page has ended.
    const findMore = async () => {
      const next = await openPage();
      await next.call("openWithStore", patient);
      await next.call("flush");
      await close(next);
      return arrived().size >= count;
    };
    await eventually(findMore, () => `${arrived().size} of ${count} events arrived`);
    return [...arrived()];
  }

  /** Ways to leave a page without hiding it before. @type {{ [how: string]: (tab: Tab) => Promise<void> }} */
  const departures = {
    "for a page of its site": (tab) => tab.goto(`${site.url}/elsewhere`),
    "for another site": (tab) => tab.goto(`${site.otherUrl}/elsewhere`),
    "by reloading it": (tab) => tab.goto(`${site.url}/?collector=none`),
  };

  for (const [how, leave] of Object.entries(departures)) {
    test(`a later page sends the events of a page that is left ${how} while offline`, async () => {
      // Nobody listens there.
      const tab = await openPage({ collector: "http://127.0.0.1:9" });
      await tab.call("openWithStore", patient);
      await tab.call("flush");
      await tab.call("ingest", { count: 2000, size: 100 });
      await leave(tab);
      if (how === "by reloading it") await site.saw("loaded", ++opened);
      // Chromium ends a page that was left for another site after the next one is there.
      const witness = await openPage();
      const hasAll = async () => (await witness.call("spilledSize")) > 2000 * 100;
      await eventually(hasAll, () => "the page has left too little in localStorage");
      await close(tab);
      assert.deepEqual((await findInStore(2000)).sort(), made("", 2000).sort());
      const last = await openPage();
      assert.deepEqual(await last.call("spilled"), [], "what is sent is removed");
    });
  }

  test("a later page sends the events of a page that is left before its store is open", async () => {
    const tab = await openPage({ collector: "http://127.0.0.1:9" });
    await tab.call("openAndLeave", `${site.url}/?collector=none`, patient, { count: 100 });
    await site.saw("loaded", ++opened);
    await close(tab);
    assert.deepEqual((await findInStore(100)).sort(), made("", 100).sort());
  });

  test("synchronous writes of a page are read unchanged", async () => {
    const tab = await openPage();
    await tab.call("writeBytes");
    await tab.goto(`${site.otherUrl}/elsewhere`);
    await tab.goto(`${site.url}/?collector=none`);
    await site.saw("loaded", ++opened);
    assert.isTrue(await tab.call("hasBytes"));
  });

  test("events without room when a page is hidden are reported, and written later", async () => {
    const tab = await openPage({ collector: "http://127.0.0.1:9" });
    await tab.call("openWithStore", patient);
    await tab.call("flush");
    await tab.call("fillLocalStorage", 10_000);
    await tab.call("ingest", { count: 1000, size: 100 });
    await hide(tab);
    const tells = (/** @type {string} */ method, /** @type {RegExp} */ what) =>
      eventually(
        async () => what.test(String(await tab.call(method))),
        () => `${method} tells nothing of it`,
      );
    await tells("failures", /There is no room for its/);
    await tells("written", /./);
    await tab.call("persisted");
    await close(tab);
    assert.lengthOf(await findInStore(1000), 1000);
  });

  test("a page whose store is empty enters the back/forward cache", async () => {
    const tab = await openPage();
    await tab.call("openWithStore", {});
    await tab.call("ingest", { tag: "a", count: 10 });
    await tab.call("flush");
    assert.deepEqual(collector.events(), made("a", 10));
    await tab.goto(`${site.otherUrl}/elsewhere`);
    await tab.back();
    await site.saw("restored");
    await tab.call("ingest", { tag: "b", count: 10 });
    await tab.call("flush");
    assert.deepEqual(collector.events(), [...made("a", 10), ...made("b", 10)]);
  });

  test("a page with a store that is reloaded again and again loses no batch of it", async () => {
    const options = {
      batch: { minSize: 10, maxSize: 20, maxDelayMs: 10 },
      maxBytes: 1 << 20,
      retry: quickRetry,
    };
    const tab = await openPage();
    const url = await tab.call("url");
    for (let reload = 0; reload < RELOADS; reload++) {
      await tab.call("openWithStore", options);
      await tab.call("produce", { tag: `${reload}-`, count: 5 });
      const isHeld = reload % 2 === 0;
      // In the middle: one batch is in flight, and others wait for it.
      if (isHeld) collector.holdNext();
      const last = await collector.nth(collector.log.length + (isHeld ? 1 : 1 + (reload % 3)));
      await tab.goto(url);
      await site.saw("loaded", ++opened);
      // Browsers have few connections.
      last.answer();
    }
    await tab.call("openWithStore", options);
    const written = /** @type {string[]} */ (await tab.call("written"));
    const arrived = () => new Set(collector.log.map(({ id }) => id));
    const findAll = async () => {
      await tab.call("flush");
      return written.every((id) => arrived().has(id));
    };
    await eventually(findAll, () => `${arrived().size} of ${written.length} arrived`, 90_000);
    assert.isNotEmpty(written);
    const bodies = new Map();
    for (const { id, events } of collector.log) {
      const body = JSON.stringify(events);
      assert.equal(bodies.get(id) ?? body, body, "one id, one batch");
      bodies.set(id, body);
    }
    const events = [...bodies.values()].flatMap((body) => JSON.parse(body));
    assert.lengthOf(new Set(events), events.length, "an event is in one batch");
  });

  for (const read of ["yes", "no"]) {
    test(`a busy page delivers, whether its callback reads responses: ${read}`, async () => {
      const tab = await openPage({ read });
      await tab.call("open", { retry: quickRetry, batch: { maxBytes: 50_000 } });
      for (let i = 0; i < 10; i++) await tab.call("ingest", { count: 1000, size: 100 });
      const { pending } = await tab.call("flush");
      assert.equal(pending, 0);
      const { delivered, abandoned } = await tab.call("stats");
      assert.deepEqual([delivered, abandoned.retries], [10_000, 0]);
      if (read === "yes") assert.deepEqual(await tab.call("failures"), []);
    });
  }

  /**
   * Takes a page offline: by the engine, if it can; otherwise by closing the collector's port.
   * Returns the function that ends it, and tells the page.
   *
   * @param {Tab} tab
   */
  async function goOffline(tab) {
    const { setOffline } = tab;
    if (setOffline !== undefined) {
      await setOffline(true);
      return () => setOffline(false);
    }
    const { port } = collector;
    await collector.stop();
    return async () => {
      collector = await startCollector(port);
      await tab.call("tellOnline");
    };
  }

  test("a page that was offline sends at `online`, whatever the pause, and has lost nothing", async (t) => {
    const tab = await openBus({ retry: { baseDelayMs: HOUR_MS, maxDelayMs: HOUR_MS } });
    await tab.call("produce", { tag: "", count: 1 });
    await collector.nth(1);
    const before = collector;
    const goOnline = await goOffline(tab);
    await eventually(
      async () => (await tab.call("failures")).length >= 1,
      () => "the page does not notice that it is offline",
    );
    const seen = collector.log.length;
    await goOnline();
    const since = collector === before ? seen : 0;
    await within(collector.nth(since + 1), () => "the page does not send");
    await tab.call("close");
    const { accepted, delivered } = await tab.call("stats");
    assert.equal(delivered, accepted);
    const logs = collector === before ? [collector] : [before, collector];
    const arrived = logs.flatMap((each) => each.events());
    assert.lengthOf(new Set(arrived), delivered);
    t.diagnostic(`${arrived.length} events arrived, ${delivered} different ones`);
  });

  test("a page with a store that is offline loses nothing, in memory or there", async () => {
    const tab = await openPage();
    await tab.call("openWithStore", {});
    await tab.call("ingest", { tag: "a", count: 1 });
    await collector.nth(1);
    const before = collector;
    const goOnline = await goOffline(tab);
    await tab.call("ingest", { tag: "b", count: 200 });
    const hasNoticed = async () => (await tab.call("failures")).length >= 3;
    await eventually(hasNoticed, () => "the page does not notice that it is offline");
    await goOnline();
    await delivered(tab, 201);
    await tab.call("close");
    const { accepted, delivered: arrived } = await tab.call("stats");
    assert.deepEqual([accepted, arrived], [201, 201]);
    const logs = collector === before ? [collector] : [before, collector];
    assert.lengthOf(new Set(logs.flatMap((each) => each.events())), 201);
  });

  test("a page with a store that is offline for longer than memory lasts loses nothing", async () => {
    const tab = await openPage();
    const size = { maxBytes: 64 << 10, maxEventBytes: 1 << 10 };
    await tab.call("openWithStore", { ...size, batch: { maxBytes: 8 << 10 } });
    await tab.call("ingest", { tag: "0-", count: 1 });
    await collector.nth(1);
    const before = collector;
    const goOnline = await goOffline(tab);
    for (let part = 1; part <= 20; part++) {
      await tab.call("ingest", { tag: `${part}-`, count: 100, size: 100 });
      await eventually(
        async () => (await tab.call("stats")).bytes.held < (size.maxBytes / 4) * 3,
        () => "the store takes nothing over from memory",
      );
    }
    const { bytes } = await tab.call("stats");
    assert.isAtLeast(bytes.spilled, size.maxBytes);
    await goOnline();
    await delivered(tab, 2001);
    await tab.call("close");
    assert.strictEqual((await tab.call("stats")).evicted, 0);
    const logs = collector === before ? [collector] : [before, collector];
    const arrived = logs.flatMap((each) => each.events().map((event) => event.trimEnd()));
    const parts = Array.from({ length: 20 }, (_, i) => made(`${i + 1}-`, 100));
    assert.deepEqual([...new Set(arrived)], ["0-0", ...parts.flat()], "in order");
  });

  test("a page that comes back goes on", async () => {
    // Firefox never tells a page the results of the requests that were open when it unloaded.
    const tab = await openBus({ batch: { maxDelayMs: 100 }, timeoutMs: 1000 });
    await tab.call("ingest", { tag: "a", count: 10 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    await collector.nthEvent(10);
    await tab.back();
    await site.saw("restored");
    await tab.call("ingest", { tag: "b", count: 10 });
    await delivered(tab, 20);
    await tab.call("ingest", { tag: "c", count: 10 });
    await hide(tab);
    await delivered(tab, 30);
    const byId = new Map(collector.log.map(({ id, events }) => [id, events]));
    assert.deepEqual(
      [...byId.values()].flat(),
      ["a", "b", "c"].flatMap((tag) => made(tag, 10)),
    );
  });

  test("a page that was away for long makes up for it at once", async () => {
    const tab = await openPage();
    await tab.call("ageWhenBack");
    await tab.call("open", { ...patient, retry: quickRetry });
    collector.holdNext();
    await tab.call("ingest", { count: 10 });
    await tab.goto(`${site.otherUrl}/elsewhere`);
    const first = await collector.nth(1);
    await tab.back();
    const second = await collector.nth(2);
    assert.deepEqual([second.id, second.attempt], [first.id, 2]);
  });

  test('lifecycle "manual" leaves all of it to the user', async () => {
    const tab = await openBus({ ...patient, lifecycle: "manual" });
    await tab.call("ingest", { count: 10 });
    await hide(tab);
    await tab.goto(`${site.otherUrl}/elsewhere`);
    await tab.back();
    await site.saw("restored");
    assert.equal((await tab.call("stats")).pending, 10);
    assert.lengthOf(collector.log, 0);
    await tab.call("flush");
    assert.deepEqual(collector.events(), made("", 10));
    assert.isFalse(collector.log[0]?.keepalive);
  });

  test('with the scheduler "manual", a flush of the page itself outlives it', async () => {
    const tab = await openBus({ scheduler: "manual" });
    await tab.call("ingest", { count: 10 });
    await tab.call("flushOn", "pagehide");
    await hide(tab);
    assert.lengthOf(collector.log, 0);
    await tab.goto(`${site.otherUrl}/elsewhere`);
    assert.deepEqual(await collector.nthEvent(10), made("", 10));
    assert.isTrue(collector.log[0]?.keepalive);
  });

  test("events that a web worker posts to its page are sent when the tab is closed", async () => {
    const tab = await openBus();
    await tab.call("takeFromWorker", 10);
    assert.lengthOf(collector.log, 0);
    await close(tab);
    assert.deepEqual(await collector.nthEvent(10), made("worker", 10));
  });

  test("a service worker sends the events that pages post to it, with no page left", async () => {
    const tab = await openPage();
    await tab.call("postToServiceWorker", 10);
    await close(tab);
    assert.deepEqual(await collector.nthEvent(10), made("posted", 10));
  });

  test("a closed bus does not listen any more", async () => {
    const tab = await openBus();
    await tab.call("ingest", { count: 10 });
    await tab.call("close");
    await hide(tab);
    assert.deepEqual((await everything()).events, made("", 10));
  });
}

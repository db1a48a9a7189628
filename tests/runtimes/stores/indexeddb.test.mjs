// @ts-check
// The IndexedDB store by itself, in tabs of a real browser.
import {
  after,
  afterEach,
  assert,
  before,
  beforeEach,
  eventually,
  test,
  within,
} from "../../js/harness.mjs";
import { makeProfile, servePages, startBrowser } from "./browser.mjs";

/** @type {Awaited<ReturnType<typeof makeProfile>>} */
let profile;
/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let browser;
/** @type {Awaited<ReturnType<typeof servePages>>} */
let pages;

before(async () => {
  profile = await makeProfile();
  browser = await startBrowser(profile.directory);
});

after(async () => {
  await browser.stop();
  await profile.remove();
});

beforeEach(async () => {
  pages = await servePages();
});

afterEach(async () => {
  for (const page of browser.context.pages().slice(1)) await page.close();
  await pages.stop();
});

/** A tab with an open store, and the batches that the store has found. @param {string} [name] */
async function openTab(name) {
  const page = await browser.context.newPage();
  return { page, ...using(page), keys: await load(page, name) };
}

/** Loads the page, and opens a store in it. @param {import("playwright-core").Page} page @param {string} [name] */
async function load(page, name) {
  await page.goto(pages.url);
  return openStore(page, name);
}

/** @param {import("playwright-core").Page} page @param {string} [name] @returns {Promise<string[]>} */
async function openStore(page, name) {
  return page.evaluate(async (name) => {
    const module = "shardbus/stores/indexeddb";
    const { indexedDbStore } = await import(module);
    const scope = /** @type {any} */ (globalThis);
    scope.store = indexedDbStore(name === undefined ? undefined : { name });
    return (await scope.store.open()).sort();
  }, name);
}

/**
 * The operations of a page's store; a batch is a text here.
 * @param {import("playwright-core").Page} page
 */
function using(page) {
  /** @param {string} method @param {string[]} args @returns {Promise<any>} */
  const call = (method, ...args) =>
    page.evaluate(
      async ([method, key, text]) => {
        const bytes = text === undefined ? [] : [new TextEncoder().encode(text)];
        const { store } = /** @type {any} */ (globalThis);
        const result = await store[method ?? ""](key, ...bytes);
        return result instanceof Uint8Array ? new TextDecoder().decode(result) : result;
      },
      [method, ...args],
    );
  return {
    write: (/** @type {string} */ key, text = `text of ${key}`) => call("write", key, text),
    writeSync: (/** @type {string} */ key, text = `text of ${key}`) => call("writeSync", key, text),
    read: (/** @type {string} */ key) => call("read", key),
    remove: (/** @type {string} */ key) => call("remove", key),
    setAside: (/** @type {string} */ key) => call("setAside", key),
    close: () => call("close"),
  };
}

test("written batches are found after a reload, and can be read and removed", async () => {
  const tab = await openTab();
  assert.deepEqual(tab.keys, []);
  await tab.write("a-1", "one");
  await tab.write("b-2", "two");
  await tab.write("a-1", "one, again");
  await tab.write("c-3", "three");
  await tab.remove("c-3");
  assert.equal(await tab.read("a-1"), "one, again");

  assert.deepEqual(await load(tab.page), ["a-1", "b-2"]);
  assert.equal(await tab.read("a-1"), "one, again");
  await tab.write("a-1", "one, a third time");
  await tab.remove("b-2");
  assert.isUndefined(await tab.read("b-2"));
  await tab.remove("b-2");

  assert.deepEqual(await load(tab.page), ["a-1"]);
  assert.equal(await tab.read("a-1"), "one, a third time");
});

test("one user's batches can be cleared at log-out, and no other user's are", async () => {
  const [ann, bob] = [await openTab("shardbus-ann"), await openTab("shardbus-bob")];
  await ann.write("a-1");
  ann.writeSync("a-2");
  await ann.setAside("a-1");
  await bob.write("b-1");
  await bob.writeSync("b-2");
  await ann.write("a-3");
  await ann.close();
  await bob.close();
  const left = await ann.page.evaluate(async () => {
    const module = "shardbus/stores/indexeddb";
    const { clearIndexedDbStore } = await import(module);
    await clearIndexedDbStore({ name: "shardbus-ann" });
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    return [...databases, ...Object.keys(localStorage)].filter((name) => name?.includes("ann"));
  });
  assert.deepEqual(left, []);
  assert.deepEqual(await openStore(ann.page, "shardbus-ann"), []);
  assert.deepEqual(await openStore(bob.page, "shardbus-bob"), ["b-1", "b-2"]);
});

test("a store that was closed can be opened again, in the same page", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  await tab.close();
  assert.deepEqual(await openStore(tab.page), ["a-1"]);
});

test("a living tab keeps its batches, and those of a closed tab go to the next", async () => {
  const [first, second] = [await openTab(), await openTab()];
  await first.write("a-1");
  await second.write("b-1");
  const third = await openTab();
  assert.deepEqual(third.keys, []);
  await first.page.close();
  const fourth = await openTab();
  assert.deepEqual(fourth.keys, ["a-1"]);
  assert.equal(await fourth.read("a-1"), "text of a-1");
  assert.equal(await second.read("b-1"), "text of b-1");
  // The batches taken over belong to the fourth tab while it lives.
  assert.deepEqual((await openTab()).keys, []);
  await fourth.page.close();
  assert.deepEqual((await openTab()).keys, ["a-1"]);
});

test("an open store finds the batches of a tab that ends meanwhile", async () => {
  const [first, second] = [await openTab(), await openTab()];
  await first.write("a-1");
  await second.page.evaluate(async () => {
    const scope = /** @type {any} */ (globalThis);
    await scope.store.close();
    scope.found = [];
    await scope.store.open((/** @type {string[]} */ keys) => scope.found.push(...keys));
  });
  await second.write("b-1");
  await first.page.close();
  const found = () => second.page.evaluate(() => /** @type {any} */ (globalThis).found);
  await eventually(
    async () => (await found()).length > 0,
    () => "it finds nothing",
    30_000,
  );
  assert.deepEqual(await found(), ["a-1"], "and not what is its own");
  assert.equal(await second.read("a-1"), "text of a-1");
});

test("tabs that open at once share remaining batches: each goes to one of them", async () => {
  const dead = [await openTab(), await openTab(), await openTab()];
  for (const [i, tab] of dead.entries()) {
    for (const n of [1, 2, 3]) await tab.write(`${i}-${n}`);
  }
  for (const tab of dead) await tab.page.close();
  const tabs = await Promise.all([openTab(), openTab(), openTab(), openTab()]);
  const expected = [0, 1, 2].flatMap((i) => [1, 2, 3].map((n) => `${i}-${n}`));
  assert.deepEqual(tabs.flatMap(({ keys }) => keys).sort(), expected);
});

test("the batches of a crashed tab go to the next", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  const crashed = new Promise((resolve) => tab.page.once("crash", resolve));
  tab.page.goto("chrome://crash").catch(() => {});
  await within(crashed, () => "the tab does not crash");
  assert.deepEqual((await openTab()).keys, ["a-1"]);
});

test("written batches survive a killed browser", async () => {
  const tab = await openTab();
  for (let i = 0; i < 20; i++) await tab.write(`a-${i}`);
  await browser.kill();
  browser = await startBrowser(profile.directory);
  const expected = Array.from({ length: 20 }, (_, i) => `a-${i}`).sort();
  assert.deepEqual((await openTab()).keys, expected);
});

test("stores of different names have nothing in common", async () => {
  const tab = await openTab("clicks");
  await tab.write("a-1");
  assert.deepEqual(await load(tab.page, "views"), []);
  assert.deepEqual(await load(tab.page, "clicks"), ["a-1"]);
});

test("a quarantined batch is kept, and not found again", async () => {
  const tab = await openTab();
  await tab.write("a-1", "damaged");
  await tab.write("a-2");
  await tab.setAside("a-1");
  await tab.setAside("never there");
  assert.isUndefined(await tab.read("a-1"));
  assert.deepEqual(await load(tab.page), ["a-2"]);
  const kept = await tab.page.evaluate(async () => {
    /** @param {IDBRequest} request @returns {Promise<any>} */
    const result = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await result(indexedDB.open("shardbus"));
    const all = await result(database.transaction("corrupt").objectStore("corrupt").getAll());
    database.close();
    return all.map((/** @type {Uint8Array} */ bytes) => new TextDecoder().decode(bytes));
  });
  assert.deepEqual(kept, ["damaged"]);
});

test("of a view, only its own bytes are stored", async () => {
  const tab = await openTab();
  const size = await tab.page.evaluate(async () => {
    const { store } = /** @type {any} */ (globalThis);
    const memory = new WebAssembly.Memory({ initial: 4 });
    await store.write("a-1", new Uint8Array(memory.buffer, 100, 3));
    return (await store.read("a-1")).buffer.byteLength;
  });
  assert.equal(size, 3);
});

test("a database that is deleted meanwhile does not stop the store", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  const other = await browser.context.newPage();
  await other.goto(pages.url);
  await other.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase("shardbus");
        request.onsuccess = resolve;
        request.onerror = reject;
        request.onblocked = () => reject(new Error("the store does not let go of it"));
      }),
  );
  assert.isUndefined(await tab.read("a-1"));
  await tab.write("a-2");
  assert.deepEqual(await load(tab.page), ["a-2"]);
});

test("an origin that is out of space rejects the write, and goes on when there is room", async () => {
  const tab = await openTab();
  const session = await browser.context.newCDPSession(tab.page);
  const origin = new URL(pages.url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1000 });
  const error = await tab.write("a-1", "x".repeat(1_000_000)).catch((error) => error);
  assert.include(String(error), "QuotaExceededError");
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  await tab.write("a-2");
  assert.deepEqual(await load(tab.page), ["a-2"]);
});

test("a page in the back/forward cache counts as ended, and goes on as a new owner", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  await tab.page.evaluate(() => {
    globalThis.addEventListener("pageshow", ({ persisted }) => {
      /** @type {any} */ (globalThis).wasRestored = persisted;
    });
  });
  await tab.page.goto(`${pages.url}elsewhere`);
  const other = await openTab();
  assert.deepEqual(other.keys, ["a-1"]);
  // A restored page does not load.
  await tab.page.goBack({ waitUntil: "commit" });
  await tab.page.waitForFunction("globalThis.wasRestored");

  // It has forgotten nothing, and its later writes are its own.
  assert.equal(await tab.read("a-1"), "text of a-1");
  await tab.write("a-2");
  assert.deepEqual((await openTab()).keys, []);
  await tab.page.close();
  assert.deepEqual((await openTab()).keys, ["a-2"]);
});

test("a store that has nothing holds no lock, and one that has something does", async () => {
  const tab = await openTab();
  const held = () =>
    tab.page.evaluate(async () => (await navigator.locks.query()).held?.length ?? 0);
  assert.equal(await held(), 0);
  for (const key of ["a-1", "a-2"]) await tab.write(key);
  assert.equal(await held(), 1);
  await tab.remove("a-1");
  assert.equal(await held(), 1);
  await tab.remove("a-2");
  assert.equal(await held(), 0);
  // Others may have taken over the owner before: the next batches have another one.
  await tab.write("a-3");
  assert.equal(await held(), 1);
  assert.deepEqual((await openTab()).keys, []);
});

test("a found batch that another tab has sent is forgotten", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  await tab.page.goto(`${pages.url}elsewhere`);
  const other = await openTab();
  assert.deepEqual(other.keys, ["a-1"]);
  await other.page.evaluate(async () => {
    const request = indexedDB.open("shardbus");
    await new Promise((resolve) => {
      request.onsuccess = resolve;
    });
    const transaction = request.result.transaction("batches", "readwrite");
    transaction.objectStore("batches").clear();
    await new Promise((resolve) => {
      transaction.oncomplete = resolve;
    });
    request.result.close();
  });
  assert.isUndefined(await other.read("a-1"));
  const held = await other.page.evaluate(async () => (await navigator.locks.query()).held);
  assert.deepEqual(held, []);
});

test("synchronously written batches are found, read, quarantined and removed like others", async () => {
  const tab = await openTab("a:b");
  await tab.writeSync("a-1", "one");
  await tab.writeSync("a-2", "two");
  await tab.write("a-2", "two, elsewhere too");
  await tab.writeSync("a-3", "three");
  await tab.remove("a-3");
  assert.deepEqual(await load(tab.page, "b"), [], "another store has another name");
  assert.deepEqual(await load(tab.page, "a:b"), ["a-1", "a-2"]);
  assert.equal(await tab.read("a-1"), "one");
  await tab.remove("a-2");
  await tab.setAside("a-1");
  assert.equal(await tab.page.evaluate(() => localStorage.length), 0);
  assert.deepEqual(await load(tab.page, "a:b"), []);
});

test("synchronously written batches belong to their tab while it lives", async () => {
  const tab = await openTab();
  await tab.writeSync("a-1");
  await tab.page.waitForFunction(async () => (await navigator.locks.query()).held?.length === 1);
  assert.deepEqual((await openTab()).keys, []);
  await tab.page.close();
  assert.deepEqual((await openTab()).keys, ["a-1"]);
});

test("synchronous writes of another version stay untouched, and reading them reports why", async () => {
  const tab = await openTab();
  const item = "shardbus:2:whatever";
  await tab.page.evaluate((item) => localStorage.setItem(item, "theirs"), item);
  assert.deepEqual(await load(tab.page), ["localstorage-2"]);
  const error = await tab.read("localstorage-2").catch((error) => error);
  assert.include(String(error), "What another version of shardbus has written to localStorage");
  assert.equal(await tab.page.evaluate((item) => localStorage.getItem(item), item), "theirs");
});

test("a page that is not secure is told why there is no store", async () => {
  const page = await browser.context.newPage();
  await page.goto(pages.insecureUrl);
  const error = await openStore(page).catch((error) => error);
  assert.include(String(error), "There are no Web Locks here");
  assert.include(String(error), "HTTPS");
});

test("a web worker has a store of its own", async () => {
  const tab = await openTab();
  await tab.write("a-1");
  const keys = await tab.page.evaluate(async () => {
    const url = new URL("/dist/stores/indexeddb.js", location.href);
    const source = `
      import { indexedDbStore } from "${url}";
      const store = indexedDbStore();
      const keys = await store.open();
      await store.write("b-1", new Uint8Array([1]));
      postMessage(keys);
    `;
    const worker = new Worker(
      URL.createObjectURL(new Blob([source], { type: "text/javascript" })),
      {
        type: "module",
      },
    );
    const keys = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });
    worker.terminate();
    return keys;
  });
  assert.deepEqual(keys, []);
  assert.deepEqual((await openTab()).keys, ["b-1"]);
});

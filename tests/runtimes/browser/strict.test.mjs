// @ts-check

// A page whose Content-Security-Policy forbids WebAssembly, in Chromium.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { program } from "../../documents.mjs";
import { after, afterEach, assert, before, beforeEach, test } from "../../js/harness.mjs";
import { serve } from "../../loopback.mjs";
import { Log } from "../log.mjs";
import { launchChromium } from "./puppeteer.mjs";

const dist = new URL("../../../pkg-js/dist/", import.meta.url);
const script = new URL("strict.mjs", import.meta.url);
const PAGE =
  '<!doctype html><link rel="icon" href="/icon" /><script type="module" src="/page.mjs"></script>';

/** The documented program for pages whose policy is not known; it exports how to offer an event. */
async function fallback() {
  const example = await program("docs/webassembly.md", "const early");
  const served = example
    .replace('"shardbus"', '"/dist/index.js"')
    .replace('"shardbus/js"', '"/dist/js.js"');
  return `const send = (batch) => fetch("/events", { method: "POST", body: batch.body });
    ${served}
    export const offer = (event) => emit(event);`;
}

/** The page and its collector: of one origin, because the page may talk to no other. */
async function startSite() {
  /** The page's requests, and their paths. @type {Log<{ path: string, body: string }>} */
  const log = new Log();
  const server = await serve(async (request, response) => {
    const { pathname } = new URL(String(request.url), "http://site.example");
    response.setHeader("content-security-policy", "default-src 'self'");
    if (request.method === "POST") {
      log.add({ path: pathname, body: await text(request) });
      response.end();
    } else if (pathname === "/fallback.mjs") {
      response.setHeader("content-type", "text/javascript").end(await fallback());
    } else if (pathname.endsWith("js")) {
      response.setHeader("content-type", "text/javascript");
      const isPage = pathname === "/page.mjs";
      response.end(await readFile(isPage ? script : new URL(`..${pathname}`, dist)));
    } else {
      response.setHeader("content-type", "text/html").end(PAGE);
    }
  });
  const sent = (/** @type {string} */ to) => log.entries.filter(({ path }) => path === to);
  return {
    url: `${server.url}/`,
    /** The bodies that the collector got. */
    events: () => sent("/events").map(({ body }) => body),
    /** Waits for the collector's first event. */
    async event() {
      await log.until(() => sent("/events").length > 0);
      return sent("/events")[0]?.body;
    },
    /** The page's last report. */
    async told() {
      await log.until(() => sent("/told").length > 0);
      return JSON.parse(String(sent("/told")[0]?.body));
    },
    stop: server.stop,
  };
}

/** @type {import("./puppeteer.mjs").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof startSite>>} */
let site;

before(async () => {
  browser = await launchChromium();
});
after(() => browser?.stop());
beforeEach(async () => {
  site = await startSite();
});
afterEach(() => site.stop());

test("where a page forbids WebAssembly, the default entry's error names the remedy", async () => {
  await browser.open(`${site.url}?entry=index`);
  const { compile, ...error } = await site.told();
  assert.include(compile, "CompileError", "the policy does not forbid it, so this tests nothing");
  assert.include(error, { name: "WasmUnavailableError", code: "ERR_WASM_UNAVAILABLE" });
  assert.include(error.message, "add 'wasm-unsafe-eval' to script-src");
  assert.include(error.message, "import `shardbus/js`");
  assert.deepEqual(site.events(), []);
});

test("shardbus/js works in such a page", async () => {
  await browser.open(`${site.url}?entry=js`);
  const { compile, ...told } = await site.told();
  assert.include(compile, "CompileError", "the policy does not forbid it, so this tests nothing");
  assert.deepEqual(told, { delivered: 1 });
  assert.deepEqual(site.events(), ['{"from":"a strict page"}']);
});

test("the documented program works in such a page, and loses no early event", async () => {
  await browser.open(`${site.url}?entry=fallback`);
  assert.equal(await site.event(), '{"from":"a strict page"}');
});

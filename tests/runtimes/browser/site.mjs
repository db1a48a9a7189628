// @ts-check

// Serves the page of these tests, with the built package.
import { readFile } from "node:fs/promises";
import { serve } from "../../loopback.mjs";
import { Log } from "../log.mjs";

const here = new URL(".", import.meta.url);
const dist = new URL("../../../pkg-js/dist/", import.meta.url);

/** @type {{ [path: string]: string }} */
const pages = {
  "/": "page.html",
  "/elsewhere": "elsewhere.html",
  "/page.mjs": "page.mjs",
  "/service-worker.mjs": "service-worker.mjs",
};

/** @param {string} path */
function fileOf(path) {
  // Another address makes another copy of the package, as when two scripts have bundled it.
  const file = /^\/(?:dist|copy)(\/.*)/.exec(path)?.[1];
  if (file !== undefined) return new URL(`.${file}`, dist);
  return path in pages ? new URL(String(pages[path]), here) : undefined;
}

export async function startSite() {
  /** The reports of the pages. @type {Log<string>} */
  const seen = new Log();
  const server = await serve(async (request, response) => {
    const { pathname, search } = new URL(String(request.url), "http://site.example");
    if (pathname === "/seen") {
      response.end();
      seen.add(search.slice(1));
      return;
    }
    if (pathname === "/redirect") {
      response.writeHead(Number(search.slice(1)), { location: "/seen?redirected" }).end();
      return;
    }
    const file = fileOf(pathname);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", /js$/.test(file.pathname) ? "text/javascript" : "text/html");
    response.end(await readFile(file));
  });

  return {
    url: server.url,
    /** The same files, but another site to the browser. */
    otherUrl: `http://localhost:${server.port}`,
    /** Waits until pages reported this `count` times. @param {string} what */
    async saw(what, count = 1) {
      await seen.until((entries) => entries.filter((entry) => entry === what).length >= count);
    },
    /** The number of times that pages reported this. @param {string} what */
    count: (what) => seen.entries.filter((entry) => entry === what).length,
    stop: server.stop,
  };
}

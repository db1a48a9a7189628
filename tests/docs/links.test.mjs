// @ts-check
// The links of the built site: VitePress itself looks at pages, and not at the places in them.
import { readdir, readFile } from "node:fs/promises";
import { assert, before, test } from "../js/harness.mjs";

const site = new URL("../../docs/.vitepress/dist/", import.meta.url);

/** The pages by path, with the ids of their elements and the targets of their links. @type {Map<string, { ids: Set<string>, links: string[] }>} */
const pages = new Map();

before(async () => {
  const files = await readdir(site, { recursive: true });
  for (const file of files.filter((file) => file.endsWith(".html"))) {
    const html = await readFile(new URL(file, site), "utf8");
    const ids = new Set(Array.from(html.matchAll(/ id="([^"]+)"/g), ([, id = ""]) => id));
    const links = Array.from(html.matchAll(/<a [^>]*href="([^"]+)"/g), ([, href = ""]) => href);
    pages.set(`/${file.replace(/(index)?\.html$/, "")}`, { ids, links });
  }
});

test("every link within the site leads to a page, and to a place in it", () => {
  assert.isAbove(pages.size, 30);
  /** @type {string[]} */
  const dead = [];
  for (const [page, { links }] of pages) {
    for (const link of links) {
      if (/^[a-z]+:/.test(link)) continue;
      const { pathname, hash } = new URL(
        link.replaceAll("&amp;", "&"),
        `https://site.example${page}`,
      );
      const target = pages.get(pathname.replace(/\.html$/, ""));
      const place = decodeURIComponent(hash.slice(1));
      if (!target || (place && !target.ids.has(place))) dead.push(`${page} → ${link}`);
    }
  }
  assert.deepEqual(dead, []);
});

test("every page of the guide and the API can be reached from the sidebar", () => {
  const { links = [] } = pages.get("/options") ?? {};
  const { links: api = [] } = pages.get("/api/") ?? {};
  const reached = new Set([...links, ...api].map((link) => link.replace(/\.html$|#.*/g, "")));
  const lonely = [...pages.keys()].filter((page) => !reached.has(page));
  assert.sameMembers(lonely, ["/404", "/demo/", "/demo/tab"]);
});

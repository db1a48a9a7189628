// @ts-check
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";
import { inlineDrawings, linkToRepository } from "./markdown.mjs";

/** @param {[string, string][]} pages */
const items = (pages) => pages.map(([text, link]) => ({ text, link }));

/** TypeDoc's pages, once they are made. */
const apiSidebar = fileURLToPath(new URL("../api/typedoc-sidebar.json", import.meta.url));
/** @type {{ text: string, link?: string, items?: { text: string, link: string }[] }[]} */
const modules = existsSync(apiSidebar) ? JSON.parse(readFileSync(apiSidebar, "utf8")) : [];
const api = modules.map(({ text, link, items }) => ({
  text: text === "index" ? "shardbus" : `shardbus/${text}`,
  link,
  items: items ?? [],
}));

const guide = [
  {
    text: "Start",
    items: items([
      ["Node", "/start/node"],
      ["Pages", "/start/pages"],
      ["React, Next.js and others", "/start/frameworks"],
      ["Cloudflare Workers", "/start/cloudflare-workers"],
      ["Deno and Bun", "/start/deno-and-bun"],
      ["AWS Lambda", "/start/lambda"],
      ["Serverless functions", "/start/serverless"],
      ["Rust", "/rust"],
      ["Coming from elsewhere", "/coming-from"],
    ]),
  },
  {
    text: "Understand",
    items: items([
      ["How it works", "/how-it-works"],
      ["The callback", "/callback"],
      ["Outages", "/outages"],
      ["Partial failures", "/partial-failures"],
      ["Backpressure", "/backpressure"],
      ["Losses", "/losses"],
      ["Scaling", "/scaling"],
      ["Guarantees and limits", "/guarantees"],
    ]),
  },
  {
    text: "Do",
    items: items([
      ["Sinks", "/sinks"],
      ["Streams and loops", "/streams"],
      ["Surviving a restart", "/stores"],
      ["Shutting down", "/shutdown"],
      ["Watching a bus", "/watching"],
      ["Sizing", "/sizing"],
      ["Troubleshooting", "/troubleshooting"],
      ["Questions", "/faq"],
    ]),
  },
  {
    text: "Integrate",
    items: items([
      ["Overview", "/integrations/"],
      ["Loggers and frameworks", "/integrations/loggers"],
      ["OpenTelemetry", "/integrations/opentelemetry"],
    ]),
  },
  {
    text: "Look up",
    items: items([
      ["Options", "/options"],
      ["Methods", "/methods"],
      ["Errors", "/errors"],
      ["Runtimes and bundlers", "/bundlers"],
      ["WebAssembly", "/webassembly"],
      ["Browser support", "/browser-support"],
      ["Versions", "/versioning"],
      ["Comparison", "/comparison"],
    ]),
  },
];

export default defineConfig({
  title: "shardbus",
  description:
    "An event buffer for edge runtimes, pages and services, which accounts for every event",
  lang: "en",
  base: process.env.DOCS_BASE ?? "/",
  cleanUrls: true,
  srcExclude: ["node_modules/**"],
  head: [
    ["link", { rel: "icon", href: "data:," }],
    ["meta", { property: "og:image", content: "https://shardbus.github.io/shardbus/social.png" }],
  ],
  markdown: {
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
    config(md) {
      linkToRepository(md);
      inlineDrawings(md, new URL("../", import.meta.url));
    },
  },
  vite: {
    // The theme has a stylesheet of the demo, which is a folder of its own.
    server: { fs: { allow: [fileURLToPath(new URL("../../", import.meta.url))] } },
    build: { chunkSizeWarningLimit: 2000 },
  },
  themeConfig: {
    search: { provider: "local" },
    nav: [
      { text: "Guide", link: "/start/node", activeMatch: "^/(?!api/|options|comparison)." },
      { text: "Options", link: "/options" },
      { text: "API", link: "/api/" },
      { text: "Comparison", link: "/comparison" },
    ],
    sidebar: { "/api/": [{ text: "API", items: api }], "/": guide },
    outline: { level: [2, 3] },
    socialLinks: [{ icon: "github", link: "https://github.com/shardbus/shardbus" }],
    footer: { message: "MIT or Apache-2.0, at your choice" },
  },
});

// @ts-check
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { Collector } from "./collector.mjs";

/** @param {string} name */
const pathOf = (name) => fileURLToPath(new URL(`page/${name}`, import.meta.url));

/** Serves the page, and collects its events. @param {number} [port] a free one by default */
export async function startServer(port = 0) {
  const bundle = await build({
    entryPoints: [pathOf("main.js")],
    bundle: true,
    format: "esm",
    minify: true,
    write: false,
  });
  const html = { type: "text/html", body: await readFile(pathOf("index.html")) };
  /** @type {{ [path: string]: { type: string, body: Uint8Array } }} */
  const files = {
    "/": html,
    "/pricing": html,
    "/docs": html,
    "/main.js": { type: "text/javascript", body: bundle.outputFiles[0].contents },
    "/style.css": { type: "text/css", body: await readFile(pathOf("style.css")) },
    "/panel.css": { type: "text/css", body: await readFile(pathOf("panel.css")) },
  };
  const collector = new Collector();

  const server = createServer(async (request, response) => {
    const { method, url = "/" } = request;
    if (method === "POST" && url === "/events") {
      await collector.take(request, response);
    } else if (method === "PUT" && url === "/collector") {
      collector.mode = /** @type {Collector["mode"]} */ (await text(request));
      response.writeHead(204).end();
    } else {
      const file = files[url];
      if (file === undefined) return response.writeHead(404).end();
      response.writeHead(200, { "content-type": `${file.type}; charset=utf-8` }).end(file.body);
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());

  return {
    url: `http://127.0.0.1:${address.port}/`,
    collector,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

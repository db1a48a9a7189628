// The losses of each candidate in each weather, as a table: `node benches/weather/run.mjs`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { candidates } from "./candidates.mjs";
import { BAD, weathers } from "./plan.mjs";

/** @param {string} name @param {string} weather */
async function measure(name, weather) {
  const begin = performance.now();
  /** @type {Map<string, number>} */
  const stored = new Map();
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => undefined);
    if (!body) return;
    const elapsed = (performance.now() - begin) / 1000;
    const isBad = elapsed >= BAD.from && elapsed < BAD.to;
    const isStored = (isBad ? weathers[weather] : weathers["always up"])?.(response);
    if (!isStored) return;
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    for (const [mark] of text.toString().matchAll(/mark-\d+/g)) {
      stored.set(mark, (stored.get(mark) ?? 0) + 1);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const sender = new URL("sender.mjs", import.meta.url).pathname;
  const args = [sender, name, `http://127.0.0.1:${port}/`];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (text) => {
    printed += text;
  });
  const [code] = await once(child, "close");
  server.closeAllConnections();
  server.close();
  if (code !== 0) throw new Error(`the process of ${name} ended with ${code}`);
  const offered = Number(/\d+\s*$/.exec(printed)?.[0]);
  return { offered, lost: offered - stored.size };
}

const names = Object.keys(candidates);
console.log(`| receiver | ${names.join(" | ")} |`);
console.log(`| --- |${" ---: |".repeat(names.length)}`);
for (const weather of Object.keys(weathers)) {
  const results = await Promise.all(names.map((name) => measure(name, weather)));
  const cells = results.map(({ offered, lost }) => `${((100 * lost) / offered).toFixed(1)} %`);
  console.log(`| ${weather} | ${cells.join(" | ")} |`);
}

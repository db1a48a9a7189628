// @ts-check
// The documented recipe for programs that watch requests: the bus's own make no events. In Node,
// whose `fetch` leaves resource timings as a page's does.
import { text } from "node:stream/consumers";
import { program } from "../documents.mjs";
import { serve } from "../loopback.mjs";
import { start } from "./child.node.mjs";
import { assert, eventually, test } from "./harness.mjs";

test("observers of requests do not see those of the bus", async () => {
  const recipe = await program("docs/start/pages.md", "PerformanceObserver");
  /** @type {any[]} */
  const events = [];
  const server = await serve(async (request, response) => {
    if (request.method === "POST") {
      const lines = (await text(request)).split("\n");
      events.push(...lines.map((line) => JSON.parse(line)));
    }
    response.end();
  });
  const collector = `${server.url}/events`;
  const child = start(`
    ${recipe.replace("https://collector.example/events", collector)}
    setInterval(() => {}, 1000);
    for (let i = 1; i <= 3; i++) {
      await (await fetch("${server.url}/page" + i)).text();
      // By then, a timing of the bus's request would have made an event of its own.
      await bus.flush();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await bus.flush();
    console.log("flushed");
  `);
  try {
    await child.said("flushed");
    const isThere = () => events.filter(({ type }) => type === "resource").length >= 3;
    await eventually(isThere, () => `got ${JSON.stringify(events)}`, 30_000);
    const urls = events.map(({ url, name }) => url ?? name);
    assert.sameMembers(
      urls,
      [1, 2, 3, 1, 2, 3].map((i) => `${server.url}/page${i}`),
    );
  } finally {
    await child.kill();
    await server.stop();
  }
});

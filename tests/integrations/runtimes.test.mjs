// @ts-check
// The same program in Node's newest version, Deno and Bun.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bun, deno, node26 } from "../bundlers/runtimes.mjs";
import { assert, test } from "../js/harness.mjs";
import { startCollector } from "../runtimes/collector.mjs";

const program = fileURLToPath(new URL("logs.mjs", import.meta.url));

for (const [runtime, command] of Object.entries({
  "Node 26": () => [node26()],
  Deno: () => [deno(), "run", "--allow-all", "--no-check"],
  Bun: () => [bun()],
})) {
  test(`the logs of every library arrive from ${runtime}`, async () => {
    const collector = await startCollector();
    try {
      const [file = "", ...args] = command();
      const url = `http://127.0.0.1:${collector.port}/`;
      await promisify(execFile)(file, [...args, program, url], { timeout: 60_000 });
      const messages = collector.events().map(({ message, msg }) => message ?? msg);
      assert.sameMembers(messages, ["logtape", "evlog", "hono", "pino", "winston"]);
    } finally {
      await collector.stop();
    }
  });
}

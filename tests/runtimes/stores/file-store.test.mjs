// @ts-check
// The file store in Deno and Bun: a process finds the batches of one that was killed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, realpath, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bun, deno } from "../../bundlers/runtimes.mjs";
import { watch } from "../../js/child.node.mjs";
import { afterEach, beforeEach, test } from "../../js/harness.mjs";

const dist = fileURLToPath(new URL("../../../pkg-js/dist/", import.meta.url));

/** @type {string} */
let directory;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "shardbus-file-store-")));
});

afterEach(() => rm(directory, { recursive: true }));

/**
 * The command by which each runs a file.
 * @type {{ [runtime: string]: () => [program: string, ...args: string[]] }}
 */
const runtimes = {
  Deno: () => [
    deno(),
    "run",
    "--no-prompt",
    `--allow-read=${dist},${directory}`,
    `--allow-write=${directory}`,
  ],
  Bun: () => [bun()],
};

for (const [name, command] of Object.entries(runtimes)) {
  test(`in ${name}, the batches of a killed process go to the next, and not before`, async () => {
    const outbox = join(directory, "outbox");
    const file = join(directory, "life.mjs");
    await writeFile(
      file,
      `
      import { fileStore } from ${JSON.stringify(join(dist, "stores/fs.js"))};
      const [key] = globalThis.Deno?.args ?? process.argv.slice(2);
      const store = fileStore(${JSON.stringify(outbox)});
      const found = await store.open((more) => console.log("later " + more.join() + ";"));
      console.log("found " + found.sort().join() + ";");
      for (const key of found) console.log("read " + await store.read(key) + ";");
      await store.write(key, new Uint8Array([1, 2]));
      store.writeSync(key + "-sync", new Uint8Array([3, 4]));
      console.log("written;");
      setInterval(() => {}, 1000);
      `,
    );
    const live = (/** @type {string} */ key) => {
      const [program, ...args] = command();
      return watch(spawn(program, [...args, file, key], { stdio: "pipe" }));
    };
    const first = live("a");
    await first.said("written;");
    const second = live("b");
    await second.said("written;");
    assert.match(second.output(), /^found ;/);
    await first.kill();
    // In Deno, a lock says when its owner was last seen: as if that were some time ago.
    const longAgo = new Date(Date.now() - 60_000);
    for (const path of await readdir(outbox, { recursive: true })) {
      if (path.endsWith("lock")) await utimes(join(outbox, path), longAgo, longAgo);
    }
    if (name === "Deno") await second.kill();
    else await second.said(/later (a,a-sync|a-sync,a);/);
    await second.kill();
    const third = live("c");
    await third.said("written;");
    await third.kill();
    assert.match(third.output(), /^found a,a-sync,b,b-sync;\nread 1,2;\nread 3,4;/);
  });
}

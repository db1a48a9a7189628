// @ts-check
// `shardbus/js` in StarlingMonkey, the engine of Fastly's Compute and of componentize-js, which makes
// a WebAssembly component of a program: an engine without ICU, WebAssembly and much else.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { componentize } from "@bytecodealliance/componentize-js";
import { transpile } from "@bytecodealliance/jco";
import { build } from "esbuild";

const WORLD = "package tests:starlingmonkey; world app { export run: func() -> string; }";

test("in StarlingMonkey every event arrives, and instances of one snapshot tell their batches apart", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("starlingmonkey/app.mjs", import.meta.url))],
    bundle: true,
    format: "esm",
    write: false,
  });
  // Its imports are found from there.
  const modules = fileURLToPath(new URL("node_modules/", import.meta.url));
  const directory = await mkdtemp(join(modules, ".starlingmonkey-"));
  try {
    await writeFile(join(directory, "world.wit"), WORLD);
    await writeFile(join(directory, "source.js"), outputFiles[0]?.contents ?? "");
    const { component } = await componentize({
      sourcePath: join(directory, "source.js"),
      witPath: join(directory, "world.wit"),
      worldName: "app",
    });
    const { files } = await transpile(component, { name: "app" });
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(directory, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
    await writeFile(join(directory, "package.json"), '{ "type": "module" }');
    const runs = [];
    for (const instance of [1, 2, 3]) {
      const url = `${pathToFileURL(join(directory, "app.js"))}?${instance}`;
      runs.push(JSON.parse(await (await import(url)).run()));
    }
    for (const { delivered, different } of runs) {
      assert.deepEqual([delivered, different], [1001, 1001]);
    }
    assert.equal(new Set(runs.map(({ runId }) => runId)).size, 3);
  } finally {
    await rm(directory, { recursive: true });
  }
});

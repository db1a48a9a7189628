// @ts-check
// Batches of different runs have different ids, also where processes begin in the same state.
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { run } from "./child.node.mjs";
import { after, assert, before, test } from "./harness.mjs";

/** The longest that a process may take, on a machine with other steps beside this one. */
const timeout = 60_000;

const execute = promisify(execFile);
const require = createRequire(import.meta.url);

/** @type {string} */
let directory;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "shardbus-nonce-"));
});
after(() => rm(directory, { recursive: true }));

/**
 * Runs a program three times, and checks that it prints three run ids.
 *
 * @param {() => Promise<string>} print
 */
async function assertThreeRuns(print) {
  const ids = [await print(), await print(), await print()].map((text) => text.trim());
  for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
  assert.lengthOf(new Set(ids), 3, ids.join(" "));
}

/**
 * Makes a snapshot of a process that has run `prepare`, and returns how to start from it and
 * run `go`.
 *
 * @param {string} entry
 * @param {{ prepare: string, go: string }} program
 */
async function snapshot(entry, { prepare, go }) {
  const [source, bundle, blob] = ["in.cjs", "out.cjs", "blob"].map((name) => join(directory, name));
  await writeFile(
    source,
    `const { EventBus } = require(${JSON.stringify(require.resolve(entry))});
    let bus;
    ${prepare};
    require("node:v8").startupSnapshot.setDeserializeMainFunction(async () => {
      ${go};
      bus.ingest("an event");
      await bus.flush();
      console.log(bus.stats().runId);
    });`,
  );
  await build({ entryPoints: [source], bundle: true, platform: "node", outfile: bundle });
  await execute(process.execPath, ["--snapshot-blob", blob, "--build-snapshot", bundle], {
    timeout,
  });
  return async () =>
    (await execute(process.execPath, ["--snapshot-blob", blob, "unused.js"], { timeout })).stdout;
}

test("processes that start from one snapshot of the package have nonces of their own", async () => {
  const make = "bus = new EventBus(() => {})";
  await assertThreeRuns(await snapshot("shardbus", { prepare: "", go: make }));
});

test("processes that start from one snapshot of a bus have nonces of their own", async () => {
  // WebAssembly cannot be in a snapshot.
  const make = "bus = new EventBus(() => {})";
  await assertThreeRuns(await snapshot("shardbus/js", { prepare: make, go: "" }));
});

const program = `
  import { EventBus } from "shardbus";
  const bus = new EventBus(() => {});
  bus.ingest("an event");
  await bus.flush();
`;

test("processes with the same random numbers have nonces of their own", async () => {
  const print = `${program} console.log(bus.stats().runId);`;
  await assertThreeRuns(() => run(print, ["--random-seed=1"]));
});

test("buses of a process with the same random numbers and a clock that stands have nonces of their own", async () => {
  const output = await run(`
    Math.random = () => 0.5;
    Date.now = () => 1;
    process.hrtime.bigint = () => 1n;
    import { EventBus } from "shardbus";
    const ids = new Set();
    for (let i = 0; i < 1000; i++) {
      const bus = new EventBus(() => {});
      bus.ingest("an event");
      await bus.flush();
      ids.add(bus.stats().runId);
      await bus.close();
    }
    console.log(ids.size);
  `);
  assert.equal(output, "1000\n");
});

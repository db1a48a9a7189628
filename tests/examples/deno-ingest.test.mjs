// @ts-check
import { execFile, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Collector } from "../../examples/node-service/collector.mjs";
import { watch } from "../js/child.node.mjs";
import { after, afterEach, assert, before, beforeEach, eventually, test } from "../js/harness.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const runtimes = createRequire(new URL("../runtimes/package.json", import.meta.url));
const platform = `@deno/${process.platform}-${process.arch}-glibc`;
const deno = join(dirname(runtimes.resolve(`${platform}/package.json`)), "deno");
const run = promisify(execFile);

/** A directory with the example and the packed package, as a user has them. @type {string} */
let project;
/** @type {Collector} */
let collector;
/** @type {ReturnType<typeof watch>} */
let program;
/** @type {string} */
let url;

before(async () => {
  project = await mkdtemp(join(tmpdir(), "shardbus-deno-ingest-"));
  for (const file of ["main.ts", "deno.json"]) {
    await cp(join(root, "examples/deno-ingest", file), join(project, file));
  }
  await writeFile(join(project, "package.json"), "{}");
  const pack = ["pack", "--workspace", "pkg-js", "--pack-destination", project, "--silent"];
  const { stdout } = await run("npm", pack, { cwd: root });
  const install = ["install", "--offline", "--no-audit", "--no-fund", stdout.trim()];
  await run("npm", install, { cwd: project });
});

after(() => rm(project, { recursive: true }));

beforeEach(async () => {
  collector = new Collector();
  const env = { ...process.env, PORT: "0", COLLECTOR: await collector.listen(), NO_COLOR: "1" };
  const { tasks } = JSON.parse(await readFile(join(project, "deno.json"), "utf8"));
  const [, ...args] = tasks.start.split(" ");
  program = watch(spawn(deno, args, { cwd: project, env }));
  await program.said("Listening on http");
  url = /http\S+/.exec(program.output())?.[0] ?? "";
});

afterEach(async () => {
  await program?.kill();
  await collector.close();
});

/** Sends events, all at once, and returns the answers' status codes. @param {number} count */
const send = (count) =>
  Promise.all(
    Array.from({ length: count }, async (_, n) => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify({ n }) });
      await response.text();
      return response.status;
    }),
  );

/** @param {number} count */
const events = (count) => Array.from({ length: count }, (_, n) => ({ n }));

test("it fits the published types", async () => {
  await run(deno, ["check", "main.ts"], { cwd: project });
});

test("an outage of the collector is waited out, and nothing is lost", async () => {
  collector.refusals = 6;
  assert.deepEqual(await send(300), Array(300).fill(202));
  const isSo = () => collector.events.length >= 300;
  await eventually(isSo, () => `${collector.events.length} arrived`, 20_000);
  assert.sameDeepMembers(collector.events, events(300));
  assert.isBelow(collector.refusals, 0, "it has refused them all");
});

test("events pending at SIGTERM are sent before the end", async () => {
  await send(20);
  program.signal("SIGTERM");
  assert.equal(await program.ended(), "SIGTERM");
  assert.sameDeepMembers(collector.events, events(20));
});

test("an invalid event is rejected, and no other", async () => {
  const bad = await fetch(url, { method: "POST", body: "{" });
  const large = await fetch(url, { method: "POST", body: JSON.stringify("x".repeat(300_000)) });
  assert.deepEqual([bad.status, large.status], [400, 413]);
  const { rejected } = await (await fetch(url)).json();
  assert.equal(rejected.oversize, 1);
});

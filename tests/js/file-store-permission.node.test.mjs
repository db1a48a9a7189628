// @ts-check
// The file store in a Node that lets its program do little (`--permission`). Node only.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./child.node.mjs";
import { filesUnder, openStore } from "./file-store.node.mjs";
import { afterEach, assert, beforeEach, test } from "./harness.mjs";
import { whyNotTraced } from "./traced.node.mjs";

/** @type {string} */
let directory;

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "shardbus-permission-")));
});

afterEach(() => rm(directory, { recursive: true }));

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The flags for reading the program's files and writing the directory. */
const flags = () => [
  process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission",
  "--no-warnings",
  // Hooks of the module loader, which the suite has in places, run in a thread.
  "--allow-worker",
  `--allow-fs-read=${root}*`,
  `--allow-fs-read=${directory}/*`,
  `--allow-fs-write=${directory}/*`,
];

/** Opens a store, and prints its batches. */
const program = (rest = "") => `
  import { fileStore } from "shardbus/stores/fs";
  const store = fileStore(${JSON.stringify(join(directory, "outbox"))});
  const found = await store.open();
  for (const key of found) console.log(key, (await store.read(key)).join());
  ${rest}
`;

test("with the permission to write its directory, a store does all that it does", async () => {
  const first = program(`
    await store.write("a-1", new Uint8Array([1, 2]));
    store.writeSync("a-2", new Uint8Array([3, 4]));
    const other = fileStore(${JSON.stringify(join(directory, "outbox"))});
    console.log("others: " + (await other.open()).join());
    await other.close();
    await store.close();
  `);
  assert.equal(await run(first, flags()), "others: \n");
  const second = program(`
    await store.remove("a-1");
    await store.setAside("a-2");
    await store.close();
  `);
  assert.equal(await run(second, flags()), "a-1 1,2\na-2 3,4\n");
  assert.deepEqual(await filesUnder(directory), ["outbox/a-2.corrupt"]);
});

test("the batches of a process with few permissions are found by one with more", async () => {
  const rest = `store.writeSync("a-1", new Uint8Array([1])); await store.close();`;
  await run(program(rest), flags());
  const { keys, close } = await openStore(join(directory, "outbox"));
  assert.deepEqual(keys, ["a-1"]);
  await close();
});

test("writes reach the disk, though `fsync` is denied", {
  skip: whyNotTraced,
}, async () => {
  const trace = join(directory, "trace");
  const source = program(`
    await store.write("a-1", new Uint8Array([1]));
    store.writeSync("a-2", new Uint8Array([1]));
  `);
  const node = [process.execPath, ...flags(), "--input-type=module", "--eval", source];
  const calls = ["--follow-forks", "--trace=openat,rename", "--output", trace];
  execFileSync("strace", [...calls, ...node], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  const traced = await readFile(trace, "utf8");
  for (const key of ["a-1", "a-2"]) {
    const steps = traced.split("\n").filter((line) => line.includes(`/${key}.`));
    const [written, renamed, synced] = steps;
    assert.match(written ?? "", /tmp-\d+", .*O_CREAT.*O_SYNC/);
    assert.match(renamed ?? "", /rename\(/);
    // Written to once more, so that its name is on the disk too.
    assert.match(synced ?? "", /\.batch", .*O_SYNC/);
  }
});

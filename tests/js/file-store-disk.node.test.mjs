// @ts-check
// The file store's calls of the file system, by which batches survive a crash of the machine and
// only their owner can read them. Node only.
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileStore } from "shardbus/stores/fs";
import { run } from "./child.node.mjs";
import { afterEach, assert, beforeEach, test } from "./harness.mjs";
import { traced, whyNotTraced } from "./traced.node.mjs";

/** @type {string} */
let parent;
/** Not there yet. @type {string} */
let directory;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "shardbus-file-store-"));
  directory = join(parent, "a", "outbox");
});

afterEach(() => rm(parent, { recursive: true }));

/**
 * The steps of a program on the files of the store's directory, in order. The directory of a
 * store's own in it is called `life`, and the path of a batch before it has its name `aside`; steps
 * that are taken several times over count as one.
 *
 * @param {string} program
 */
async function doneToFiles(program) {
  const steps = await traced(`
    import { writeSync } from "node:fs";
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(directory)});
    ${program}
  `);
  const own = steps.flatMap((step) => {
    const [verb, path] = step.split(" ");
    if (path === undefined) return step;
    if (path === directory) return `${verb} directory`;
    if (path === dirname(directory)) return `${verb} what holds it`;
    if (path === parent) return `${verb} what holds that`;
    if (!path.startsWith(`${directory}/`) || path.endsWith(".lock")) return [];
    if (path.includes(".tmp-")) return `${verb} aside`;
    return `${verb} ${basename(path).startsWith("v1-") ? "life" : basename(path)}`;
  });
  return own.filter((step, i) => step !== own[i - 1]);
}

test("when a write resolves, the batch and its name are on the disk", {
  skip: whyNotTraced,
}, async () => {
  const steps = await doneToFiles(`
    await store.open();
    await store.write("a-1", new Uint8Array(300_000));
    writeSync(1, "written");
    await store.close();
  `);
  assert.deepEqual(steps, [
    "sync what holds that",
    "sync what holds it",
    "rename life",
    "sync directory",
    "write aside",
    "sync aside",
    "rename a-1.batch",
    "sync life",
    "print",
  ]);
});

test("when writeSync returns, the batch and its name are on the disk", {
  skip: whyNotTraced,
}, async () => {
  const steps = await doneToFiles(`
    store.writeSync("a-1", new Uint8Array(300_000));
    writeSync(1, "written");
  `);
  assert.deepEqual(steps, [
    "sync what holds that",
    "sync what holds it",
    "sync directory",
    "write aside",
    "sync aside",
    "rename a-1.batch",
    "sync life",
    "print",
  ]);
});

for (const how of ["open", "writeSync"]) {
  test(`a directory that ${how} makes is its owner's alone, whatever the umask`, async () => {
    const output = await run(`
      import { statSync } from "node:fs";
      import { fileStore } from "shardbus/stores/fs";
      process.umask(0);
      const store = fileStore(${JSON.stringify(directory)});
      await store.${how}("a-1", new Uint8Array(1));
      console.log((statSync(${JSON.stringify(directory)}).mode & 0o777).toString(8));
    `);
    assert.equal(output, "700\n");
  });
}

test("a directory that is there keeps its mode", async () => {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const store = fileStore(directory);
  await store.open();
  await store.write("a-1", new Uint8Array(1));
  await store.close?.();
  store.writeSync?.("a-2", new Uint8Array(1));
  assert.equal((await stat(directory)).mode & 0o777, 0o750);
  const files = await readdir(directory, { recursive: true });
  const batches = files.filter((file) => file.endsWith(".batch"));
  assert.sameMembers(
    batches.map((file) => basename(file)),
    ["a-1.batch", "a-2.batch"],
  );
});

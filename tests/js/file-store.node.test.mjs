// @ts-check
// The file store by itself, on real directories. Node only.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isShardbusError } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { run, start } from "./child.node.mjs";
import { bytes, filesUnder, openStore } from "./file-store.node.mjs";
import { afterEach, assert, beforeEach, rejection, test, thrown } from "./harness.mjs";

/** @type {string} */
let parent;
/** Not there yet. @type {string} */
let directory;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "shardbus-file-store-"));
  directory = join(parent, "a", "outbox");
});

afterEach(() => rm(parent, { recursive: true }));

const opened = () => openStore(directory);

test("written batches are found by the next run, and can be read and removed", async () => {
  const first = await opened();
  assert.deepEqual(first.keys, []);
  await first.store.write("a-1", bytes("one"));
  first.store.writeSync?.("b-2", bytes("two"));
  await first.store.write("a-1", bytes("one, again"));
  await first.close();

  const second = await opened();
  assert.deepEqual(second.keys, ["a-1", "b-2"]);
  assert.deepEqual(await second.store.read("a-1"), bytes("one, again"));
  assert.deepEqual(await second.store.read("b-2"), bytes("two"));
  await second.store.remove("a-1");
  assert.isUndefined(await second.store.read("a-1"));
  await second.close();

  const third = await opened();
  assert.deepEqual(third.keys, ["b-2"]);
  await third.close();
});

test("a process that ends before the store is open can still write", async () => {
  const directoryText = JSON.stringify(directory);
  const output = await run(`
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${directoryText});
    process.on("exit", () => store.writeSync("a-1", new Uint8Array([1])));
    store.open().then(() => console.log("open"));
    process.exit();
  `);
  assert.equal(output, "");
  const { keys, close } = await opened();
  assert.deepEqual(keys, ["a-1"]);
  await close();
});

test("a missing batch reads as undefined, and can be removed and quarantined", async () => {
  const { store, close } = await opened();
  assert.isUndefined(await store.read("a-1"));
  await store.remove("a-1");
  await store.setAside?.("a-1");
  await close();
});

test("a batch of no bytes and one of 4 MiB come back as they were", async () => {
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const larger = new Uint8Array(4 << 20).map((_, i) => large[i % 65_521] ?? 0);
  const { store, close } = await opened();
  await store.write("empty", new Uint8Array());
  await store.write("large", larger);
  assert.deepEqual(await store.read("empty"), new Uint8Array());
  assert.isTrue(Buffer.from(larger).equals((await store.read("large")) ?? new Uint8Array()));
  await close();
});

test("a quarantined batch is kept, and not found again", async () => {
  const first = await opened();
  await first.store.write("a-1", bytes("damaged"));
  await first.store.setAside?.("a-1");
  assert.deepEqual(await filesUnder(directory), ["a-1.corrupt"]);
  assert.equal(await readFile(join(directory, "a-1.corrupt"), "utf8"), "damaged");
  await first.close();
  const second = await opened();
  assert.deepEqual(second.keys, []);
  await second.close();
});

test("files that are not the store's stay untouched", async () => {
  await mkdir(directory, { recursive: true });
  const others = [".keep", "README", "a-1.batch", "v1-0123.batch", "v1-0123456789abcdef"];
  for (const name of others) await writeFile(join(directory, name), "theirs");
  const { store, keys, close } = await opened();
  assert.deepEqual(keys, []);
  await store.write("a-1", bytes("ours"));
  await close();
  assert.sameMembers(await filesUnder(directory), [...others, "life/a-1.batch"]);
});

test("files among the batches that are not the store's stay untouched", async () => {
  const life = join(directory, "v1-0123456789abcdef");
  await mkdir(life, { recursive: true });
  const others = [".keep", "A-1.batch", "a-1.batch.bak", "a_1.tmp-1", "notes.tmp"];
  for (const name of others) await writeFile(join(life, name), "theirs");
  const { keys, close } = await opened();
  assert.deepEqual(keys, []);
  await close();
  assert.sameMembers(
    await filesUnder(directory),
    others.map((name) => `life/life/${name}`),
  );
});

test("leftovers of an interrupted write are removed when the store opens", async () => {
  const life = join(directory, "v1-0123456789abcdef");
  await mkdir(life, { recursive: true });
  await writeFile(join(life, "a-1.tmp-0"), "hal");
  const { keys, close } = await opened();
  assert.deepEqual(keys, []);
  await close();
  assert.deepEqual(await readdir(directory), []);
});

test("the directory may be a URL, or relative to where the store is made", async () => {
  const before = process.cwd();
  try {
    process.chdir(parent);
    const stores = [fileStore("here"), fileStore(pathToFileURL(join(parent, "there")))];
    process.chdir(before);
    for (const store of stores) {
      await store.open();
      await store.close?.();
    }
  } finally {
    process.chdir(before);
  }
  assert.sameMembers(await readdir(parent), ["here", "there"]);
});

test("wrong options are refused at once", () => {
  const wrong = ["", 1, undefined, null, {}, { directory: 1 }, new URL("https://a.example")];
  for (const options of [...wrong, { directory: "a", dir: "b" }]) {
    const error = thrown(() => fileStore(/** @type {any} */ (options)));
    assert.isTrue(isShardbusError(error), String(options));
    assert.equal(error.code, "ERR_INVALID_OPTION");
  }
});

test("a store that is open is not opened for a second bus", async () => {
  const { store, close } = await opened();
  assert.match((await rejection(store.open())).message, /is open already: make one for each bus/);
  await store.write("a-1", bytes("one"));
  await close();
  assert.deepEqual(await store.open(), ["a-1"]);
  await close();
});

test("a process killed in the middle of writing leaves whole batches only", async () => {
  const size = 300_000;
  const program = `
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(directory)});
    const found = await store.open();
    for (const key of found) await store.remove(key);
    const write = async (lane) => {
      for (let i = 0; ; i++) {
        await store.write(\`\${lane}-\${i}\`, new Uint8Array(${size}).fill(65 + i % 26));
        console.log(\`\${lane}-\${i};\`);
        if (i >= 20) await store.remove(\`\${lane}-\${i - 20}\`);
      }
    };
    await Promise.all([write("a"), write("b"), write("c")]);
  `;
  for (let life = 0; life < 5; life++) {
    const writer = start(program);
    await writer.said(`a-${life * 3};`);
    await writer.kill();

    const { store, keys, close } = await opened();
    assert.isEmpty((await filesUnder(directory)).filter((name) => name.includes(".tmp-")));
    for (const lane of ["a", "b", "c"]) {
      const said = [...writer.output().matchAll(new RegExp(`${lane}-(\\d+);`, "g"))];
      const last = Number(said.at(-1)?.[1] ?? -1);
      // The one before these it may be removing.
      const kept = said.map(([, i]) => Number(i)).filter((i) => i > last - 19);
      assert.includeMembers(
        keys,
        kept.map((i) => `${lane}-${i}`),
        "what it said it had written",
      );
    }
    for (const key of keys) {
      const batch = (await store.read(key)) ?? new Uint8Array();
      const letter = 65 + (Number(key.slice(2)) % 26);
      assert.isTrue(Buffer.alloc(size, letter).equals(batch), `${key} is whole`);
    }
    await close();
  }
});

test("errors of the file system come through as they are", async () => {
  await writeFile(join(parent, "a"), "a file where a directory should be");
  assert.equal((await rejection(opened())).code, "ENOTDIR");
  await rm(join(parent, "a"));

  const { store, close } = await opened();
  await rm(directory, { recursive: true });
  await writeFile(directory, "a file where the directory was");
  assert.equal((await rejection(store.write("a-1", bytes("one")))).code, "EEXIST");
  assert.equal(thrown(() => store.writeSync?.("a-1", bytes("one"))).code, "ENOTDIR");
  await rm(directory);
  await close();
});

test("a write that there is no room for rejects, and leaves nothing", async () => {
  // A limit on the size of files fails a write in its middle, as a full disk does.
  const writer = start(
    `
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(directory)});
    await store.open();
    const large = new Uint8Array(1 << 20);
    console.log(await store.write("a-1", large).catch(({ code }) => code));
    try { store.writeSync("a-2", large); } catch ({ code }) { console.log(code); }
    await store.write("a-3", new Uint8Array(100));
    console.log("end");
    `,
    "ulimit -f 500",
  );
  await writer.said("end");
  assert.equal(writer.output(), "EFBIG\nEFBIG\nend\n");
  assert.deepEqual(await filesUnder(directory), ["life/a-3.batch"]);
});

/** A user without write access to root's files, for tests that run as root. */
const NOBODY = 65_534;

test("a process that may open few files writes thousands of batches", {
  skip: process.platform === "win32",
}, async () => {
  const program = start(
    `import { EventBus } from "shardbus";
     import { fileStore } from "shardbus/stores/fs";
     const bus = new EventBus(() => Promise.reject(new Error("away")), {
       store: fileStore(${JSON.stringify(directory)}),
       batch: { minSize: 1, maxSize: 1 },
       onStoreError: ({ message }) => console.log(message),
     });
     for (let n = 0; n < 3000; n++) bus.ingest(n);
     await bus.persisted();
     console.log(bus.stats().store.batches);
     process.exit();`,
    "ulimit -n 100",
  );
  assert.equal(await program.ended(), 0, program.output());
  assert.equal(program.output(), "3000\n");
});

test("a directory that may not be written is refused", async () => {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o500);
  // Its way there has to be passable: a directory of `mkdtemp` is its owner's alone.
  await chmod(parent, 0o755);
  const dropRoot = `if (process.getuid() === 0) process.setuid(${NOBODY});`;
  const output = await run(`
    import { fileStore } from "shardbus/stores/fs";
    ${dropRoot}
    await fileStore(${JSON.stringify(directory)}).open().catch(({ code }) => console.log(code));
  `);
  assert.equal(output, "EACCES\n");
});

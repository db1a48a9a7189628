// @ts-check
// The file store by itself, on real directories. Node only.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isShardbusError } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { run, start } from "./child.node.mjs";
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

/** @param {string} text */
const bytes = (text) => new TextEncoder().encode(text);

/** A store that was opened, and what it found. */
async function opened() {
  const store = fileStore({ directory });
  const keys = await store.open();
  return { store, keys: keys.sort(), close: () => store.close?.() };
}

/** The names in the directory, without those of locks. */
const names = async () => (await readdir(directory)).filter((name) => !name.endsWith(".lock"));

/** A program that holds the directory. */
const holder = () => `
  import { fileStore } from "shardbus/stores/fs";
  const store = fileStore(${JSON.stringify(directory)});
  await store.open();
  console.log("open");
  setInterval(() => {}, 1000);
`;

test("what was written is found by the next life, and can be read and removed", async () => {
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

test("what is not there reads as undefined, and can be removed and set aside", async () => {
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

test("what is set aside is kept, and not found again", async () => {
  const first = await opened();
  await first.store.write("a-1", bytes("damaged"));
  await first.store.setAside?.("a-1");
  assert.deepEqual(await names(), ["a-1.corrupt"]);
  assert.equal(await readFile(join(directory, "a-1.corrupt"), "utf8"), "damaged");
  await first.close();
  const second = await opened();
  assert.deepEqual(second.keys, []);
  await second.close();
});

test("what is not the store's own is left alone", async () => {
  await mkdir(directory, { recursive: true });
  const others = [".keep", "README", "A-1.batch", "a-1.batch.bak", "a_1.tmp-01-1", "notes.tmp"];
  for (const name of others) await writeFile(join(directory, name), "theirs");
  const { store, keys, close } = await opened();
  assert.deepEqual(keys, []);
  await store.write("a-1", bytes("ours"));
  await close();
  assert.sameMembers(await names(), [...others, "a-1.batch"]);
});

test("what an interrupted write has left is removed when the store opens", async () => {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "a-1.tmp-0123456789abcdef-0"), "hal");
  const { keys, close } = await opened();
  assert.deepEqual(keys, []);
  assert.deepEqual(await names(), []);
  await close();
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

test("a second store of the same process is refused, and the first is not disturbed", async () => {
  const first = await opened();
  assert.match((await rejection(opened())).message, /in use by another store of this process/);
  await first.store.write("a-1", bytes("one"));
  await first.close();
  const second = await opened();
  assert.deepEqual(second.keys, ["a-1"]);
  await second.close();
});

test("a store in another thread is refused while the first thread lives", async () => {
  const thread = `
    import { parentPort } from "node:worker_threads";
    import { fileStore } from "shardbus/stores/fs";
    fileStore(${JSON.stringify(directory)}).open().then(
      () => parentPort.postMessage("open"),
      ({ message }) => parentPort.postMessage(message),
    );
  `;
  const output = await run(`
    import { Worker } from "node:worker_threads";
    import { once } from "node:events";
    const start = () => new Worker(${JSON.stringify(thread)}, { eval: true });
    const [first, keep] = [start(), setInterval(() => {}, 1000)];
    // Both may come in one turn.
    const exit = once(first, "exit");
    console.log((await once(first, "message"))[0]);
    await exit;
    const { fileStore } = await import("shardbus/stores/fs");
    const store = fileStore(${JSON.stringify(directory)});
    await store.open();
    console.log((await once(start(), "message"))[0]);
    await store.close();
    console.log((await once(start(), "message"))[0]);
    clearInterval(keep);
  `);
  assert.match(
    output,
    /^open\n.*in use by another store of this process, in another thread.*\nopen\n$/,
  );
});

test("a directory that a living process uses is refused, and the error says whose it is", async () => {
  const other = start(holder());
  try {
    await other.said("open");
    const { message } = await rejection(opened());
    assert.include(message, `in use by the process with pid ${other.pid}`);
    assert.include(message, directory);
  } finally {
    await other.kill();
  }
  // Killed as it was, it has left its lock behind.
  const { close } = await opened();
  await close();
  assert.deepEqual(await readdir(directory), []);
});

test("of processes that open a directory at once, at most one gets it", async () => {
  const program = `
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(directory)});
    console.log("ready");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    await store.open().then(() => console.log("open;"), ({ message }) => console.log(message, ";"));
    setInterval(() => {}, 1000);
  `;
  const processes = [1, 2, 3, 4].map(() => start(program));
  try {
    await Promise.all(processes.map((one) => one.said("ready")));
    for (const one of processes) one.write("go");
    await Promise.all(processes.map((one) => one.said(";")));
    const winners = processes.filter((one) => one.output().includes("open;"));
    assert.isAtMost(winners.length, 1);
    for (const one of processes) {
      if (!winners.includes(one)) assert.include(one.output(), "in use by the process with pid");
    }
  } finally {
    await Promise.all(processes.map((one) => one.kill()));
  }
});

test("a lock of an earlier process with the same pid is taken over", async () => {
  await mkdir(directory, { recursive: true });
  // As in a container that was restarted: there, the program has the same pid each time.
  await writeFile(join(directory, `process-${process.pid}.lock`), "an-earlier-boot 4711");
  const { close } = await opened();
  await close();
});

test("a lock of a process whose pid is another's by now is taken over", {
  skip: process.platform !== "linux",
}, async () => {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `process-${process.ppid}.lock`), "an-earlier-boot 4711");
  const { close } = await opened();
  await close();
  assert.deepEqual(await readdir(directory), []);
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
    assert.isEmpty((await names()).filter((name) => name.includes(".tmp-")));
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
  assert.equal((await rejection(store.write("a-1", bytes("one")))).code, "ENOENT");
  await writeFile(directory, "a file where a directory should be");
  assert.equal(thrown(() => store.writeSync?.("a-1", bytes("one"))).code, "EEXIST");
  await rm(directory);
  await mkdir(directory);
  await store.write("a-1", bytes("one"));
  assert.deepEqual(await store.read("a-1"), bytes("one"));
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
  assert.deepEqual(await names(), ["a-3.batch"]);
});

/** A user that may not write what is root's, for tests that run as root. */
const NOBODY = 65_534;

test("a directory that may not be written is refused", async () => {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o500);
  // Its way there has to be passable: what `mkdtemp` makes is its owner's alone.
  await chmod(parent, 0o755);
  const dropRoot = `if (process.getuid() === 0) process.setuid(${NOBODY});`;
  const output = await run(`
    import { fileStore } from "shardbus/stores/fs";
    ${dropRoot}
    await fileStore(${JSON.stringify(directory)}).open().catch(({ code }) => console.log(code));
  `);
  assert.equal(output, "EACCES\n");
});

// @ts-check
// The owners of batches in a directory that several file stores share: processes, threads, copies of
// the package. Node only.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, start } from "./child.node.mjs";
import { bytes, filesUnder, holder, openStore } from "./file-store.node.mjs";
import { afterEach, assert, beforeEach, rejection, test } from "./harness.mjs";

/** @type {string} */
let directory;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shardbus-lives-"));
});

afterEach(() => rm(directory, { recursive: true }));

const opened = () => openStore(directory);

/** The names of the lives in the directory. */
const lives = async () => (await readdir(directory)).filter((name) => name.startsWith("v1-"));

test("a living process keeps its batches, and its remaining ones go to the next", async () => {
  const other = start(holder(directory, "a-1"));
  try {
    await other.said("open");
    const meanwhile = await opened();
    assert.deepEqual(meanwhile.keys, []);
    await meanwhile.store.write("b-1", bytes("one"));
    await meanwhile.close();
  } finally {
    await other.kill();
  }
  const next = await opened();
  assert.deepEqual(next.keys, ["a-1", "b-1"]);
  assert.deepEqual(await next.store.read("a-1"), bytes("text of a-1"));
  for (const key of next.keys) await next.store.remove(key);
  await next.close();
  assert.deepEqual(await readdir(directory), []);
});

test("an open store finds the batches of a killed process", async () => {
  const other = start(holder(directory, "a-1"));
  try {
    await other.said("open");
    const next = await opened();
    assert.deepEqual(next.keys, []);
    await other.kill();
    assert.deepEqual(await next.foundLater(1), ["a-1"]);
    assert.deepEqual(await next.store.read("a-1"), bytes("text of a-1"));
    await next.close();
  } finally {
    await other.kill();
  }
});

let takenOver = 0;

for (const [what, lose, left] of /** @type {[string, () => Promise<void>, string[]][]} */ ([
  ["was removed", () => rm(directory, { recursive: true }), []],
  [
    "another took over, because the process stood still",
    async () => {
      const ended = join(directory, `v1-${(takenOver++).toString(16).padStart(16, "0")}`);
      const [life = ""] = (await lives()).filter((name) => !name.startsWith("v1-00000000"));
      await rename(join(directory, life), ended);
      await rm(join(ended, "lock"), { force: true });
    },
    ["a-1", "b-1", "b-2"],
  ],
])) {
  test(`a store whose directory ${what} goes on in a new one`, async () => {
    const { store, close } = await opened();
    await store.write("a-1", bytes("one"));
    await lose();
    await Promise.all([store.write("b-1", bytes("two")), store.write("b-2", bytes("three"))]);
    assert.deepEqual(await store.read("b-1"), bytes("two"));
    await lose();
    store.writeSync?.("c-1", bytes("four"));
    await close();
    const next = await opened();
    assert.include(next.keys, "c-1");
    assert.includeMembers(next.keys, left);
    for (const key of next.keys) await next.store.remove(key);
    await next.close();
    assert.deepEqual(await readdir(directory), []);
  });
}

test("an open store finds what another has left that is closed, in the same process", async () => {
  const [first, second] = [await opened(), await opened()];
  await first.store.write("a-1", bytes("one"));
  await first.close();
  assert.deepEqual(await second.foundLater(1), ["a-1"]);
  assert.deepEqual(await second.store.read("a-1"), bytes("one"));
  await second.close();
});

test("the store does not keep its process alive", async () => {
  await run(`
    import { fileStore } from "shardbus/stores/fs";
    await fileStore(${JSON.stringify(directory)}).open(() => {});
  `);
});

test("the directory of each ended run goes to one of the waiting stores", async () => {
  for (let life = 0; life < 20; life++) {
    const { store, close } = await openStore(join(directory, "unshared"));
    for (const n of [1, 2, 3]) await store.write(`${life}-${n}`, bytes("text"));
    await close();
    const [name = ""] = await readdir(join(directory, "unshared"));
    await mkdir(join(directory, "shared"), { recursive: true });
    const { rename } = await import("node:fs/promises");
    await rename(join(directory, "unshared", name), join(directory, "shared", name));
  }
  const program = `
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(join(directory, "shared"))});
    console.log("ready");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    const keys = await store.open();
    for (const key of keys) await store.read(key);
    console.log("has " + keys.join() + ";");
    setInterval(() => {}, 1000);
  `;
  const processes = [1, 2, 3, 4].map(() => start(program));
  try {
    await Promise.all(processes.map((one) => one.said("ready")));
    for (const one of processes) one.write("go");
    await Promise.all(processes.map((one) => one.said(";")));
    const has = processes.map((one) => /has (.*);/.exec(one.output())?.[1]?.split(",") ?? []);
    const all = has.flat().filter((key) => key !== "");
    assert.lengthOf(all, 60);
    assert.lengthOf(new Set(all), 60);
    for (const keys of has) {
      const shares = new Map();
      for (const key of keys.filter((key) => key !== "")) {
        const [life] = key.split("-");
        shares.set(life, (shares.get(life) ?? 0) + 1);
      }
      for (const share of shares.values()) assert.equal(share, 3, "a life is not divided");
    }
  } finally {
    await Promise.all(processes.map((one) => one.kill()));
  }
});

test("batches are found however often they were taken over", async () => {
  const first = await opened();
  await first.store.write("a-0", bytes("text of a-0"));
  await first.close();
  for (let death = 1; death <= 4; death++) {
    const one = start(holder(directory, `a-${death}`));
    await one.said("open");
    await one.kill();
  }
  const { store, keys, close } = await opened();
  assert.deepEqual(keys, ["a-0", "a-1", "a-2", "a-3", "a-4"]);
  for (const key of keys) assert.deepEqual(await store.read(key), bytes(`text of ${key}`));
  const depths = (await filesUnder(directory)).map((path) => path.split("/").length);
  assert.isAtMost(Math.max(...depths), 3, "paths do not grow");
  for (const key of keys) await store.remove(key);
  await close();
  assert.deepEqual(await readdir(directory), []);
});

test("workers of a cluster share a directory, and a killed one's batches go to its successor", async () => {
  const worker = join(directory, "worker.mjs");
  await writeFile(
    worker,
    `
    import { fileStore } from ${JSON.stringify(import.meta.resolve("shardbus/stores/fs"))};
    const store = fileStore(${JSON.stringify(join(directory, "outbox"))});
    const keys = await store.open();
    await store.write("key-" + process.env.KEY, new Uint8Array([1]));
    process.send(keys);
    setInterval(() => {}, 1000);
    `,
  );
  const output = await run(`
    import cluster from "node:cluster";
    import { once } from "node:events";
    cluster.setupPrimary({ exec: ${JSON.stringify(worker)}, execArgv: [] });
    const fork = async (KEY) => {
      const worker = cluster.fork({ KEY });
      const [keys] = await once(worker, "message");
      console.log(KEY + ": " + keys.join());
      return worker;
    };
    const [first, second] = [await fork("a"), await fork("b")];
    first.process.kill("SIGKILL");
    await once(first, "exit");
    const third = await fork("c");
    for (const worker of [second, third]) worker.process.kill("SIGKILL");
  `);
  assert.equal(output, "a: \nb: \nc: key-a\n");
});

/** A thread that opens the directory, writes a batch, and ends in some way. @param {string} end */
const thread = (end) => `
  import { parentPort } from "node:worker_threads";
  import { fileStore } from "shardbus/stores/fs";
  const store = fileStore(${JSON.stringify(directory)});
  await store.open();
  await store.write("a-1", new Uint8Array([1]));
  parentPort.postMessage("open");
  setInterval(() => {}, 1000);
  parentPort.once("message", () => { ${end} });
`;

for (const [how, end, kill] of /** @type {const} */ ([
  ["was terminated", "", "await worker.terminate();"],
  ["ran out of memory", "const all = []; for (;;) all.push(new Array(1e5).fill({}));", ""],
  ["threw", 'throw new Error("its end");', ""],
])) {
  test(`the batches of a thread that ${how} go to the next, though its process lives`, async () => {
    const output = await run(`
      import { Worker } from "node:worker_threads";
      import { once } from "node:events";
      import { fileStore } from "shardbus/stores/fs";
      const resourceLimits = { maxOldGenerationSizeMb: 32 };
      const worker = new Worker(${JSON.stringify(thread(end))}, { eval: true, resourceLimits });
      await once(worker, "message");
      const meanwhile = fileStore(${JSON.stringify(directory)});
      console.log((await meanwhile.open()).join());
      worker.on("error", () => {});
      const exit = new Promise((resolve) => worker.once("exit", resolve));
      worker.postMessage("end");
      ${kill}
      await exit;
      const next = fileStore(${JSON.stringify(directory)});
      console.log((await next.open()).join());
    `);
    assert.equal(output, "\na-1\n");
  });
}

test("another copy of the package has a directory of its own, and takes over when the first is gone", async () => {
  const output = await run(
    `
    import { createRequire } from "node:module";
    import { fileStore } from "shardbus/stores/fs";
    const copy = createRequire(import.meta.url)("shardbus/stores/fs");
    const directory = ${JSON.stringify(directory)};
    // In a function, so that nothing holds it afterwards.
    await (async () => {
      const first = copy.fileStore(directory);
      await first.open(() => {});
      await first.write("a-1", new Uint8Array([1]));
      const meanwhile = fileStore(directory);
      console.log((await meanwhile.open()).join());
      await meanwhile.close();
    })();
    for (;;) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
      const next = fileStore(directory);
      const keys = await next.open();
      if (keys.length > 0) {
        console.log(keys.join());
        process.exit();
      }
      await next.close();
    }
    `,
    ["--expose-gc"],
  );
  assert.equal(output, "\na-1\n");
});

test("a path that is too long for a socket is locked otherwise, and released with its process", async () => {
  const long = join(directory, "long-".repeat(25));
  const other = start(holder(long, "a-1"));
  try {
    await other.said("open");
    const meanwhile = await openStore(long);
    assert.deepEqual(meanwhile.keys, []);
    await other.kill();
    // As if some time had passed.
    const names = (await readdir(long)).filter((name) => name.startsWith("v1-"));
    const locks = names.map((name) => join(long, name, "lock"));
    const longAgo = new Date(Date.now() - 60_000);
    for (const lock of locks) {
      assert.equal(await readFile(lock, "utf8"), "");
      await utimes(lock, longAgo, longAgo);
    }
    assert.deepEqual(await meanwhile.foundLater(1), ["a-1"]);
    await meanwhile.close();
  } finally {
    await other.kill();
  }
});

test("batches of another version stay untouched, and reading them reports why", async () => {
  const theirs = join(directory, "v2-0123456789abcdef");
  await mkdir(theirs);
  await writeFile(join(theirs, "a-1.batch"), "theirs");
  const { store, keys, close } = await opened();
  assert.deepEqual(keys, ["v2-0123456789abcdef"]);
  const error = await rejection(store.read("v2-0123456789abcdef"));
  assert.include(error.message, `${theirs} was written by another version of shardbus`);
  await close();
  assert.equal(await readFile(join(theirs, "a-1.batch"), "utf8"), "theirs");
});

test("the directory of a run that never began is removed", async () => {
  const beginning = join(directory, "new-0123456789abcdef");
  await mkdir(beginning);
  const first = await opened();
  await first.close();
  assert.include(await readdir(directory), "new-0123456789abcdef", "it may be about to begin");
  const longAgo = new Date(Date.now() - 3_600_000);
  await utimes(beginning, longAgo, longAgo);
  const second = await opened();
  await second.close();
  assert.deepEqual(await readdir(directory), []);
});

test("a batch that is written before the store is open is not found by that store", async () => {
  const { fileStore } = await import("shardbus/stores/fs");
  const store = fileStore(directory);
  store.writeSync?.("a-1", bytes("one"));
  assert.deepEqual(await store.open(), []);
  assert.deepEqual(await store.read("a-1"), bytes("one"));
  await store.remove("a-1");
  await store.close?.();
  assert.deepEqual(await lives(), []);
});

// @ts-check
// The file store among strangers' files in its directory, and the readers of its own. Node only;
// the rights of a user in somebody else's directory are not tested.
import { execFileSync } from "node:child_process";
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { run } from "./child.node.mjs";
import { bytes, openStore } from "./file-store.node.mjs";
import {
  afterEach,
  assert,
  beforeEach,
  deferred,
  partOf,
  rejection,
  test,
  within,
} from "./harness.mjs";

const isWindows = process.platform === "win32";

/** @type {string} */
let parent;
/** @type {string} */
let directory;
/** The directory of an ended life. @type {string} */
let life;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "shardbus-safety-"));
  directory = join(parent, "outbox");
  life = join(directory, "v1-0123456789abcdef");
  await mkdir(life, { recursive: true });
});

afterEach(() => rm(parent, { recursive: true }));

/** Why a batch cannot be read. @param {string} key */
async function whyNot(key) {
  const { store, keys, close } = await openStore(directory);
  assert.deepEqual(keys, [key]);
  const error = await within(rejection(store.read(key)), () => "reading does not end");
  await store.write("own-1", bytes("one"));
  assert.deepEqual(await store.read("own-1"), bytes("one"));
  await store.remove("own-1");
  await close();
  return String(error);
}

test("a named pipe that is called a batch is not waited for", { skip: isWindows }, async () => {
  execFileSync("mkfifo", [join(life, "a-1.batch")]);
  assert.match(await whyNot("a-1"), /a-1.batch is not a regular file/);
});

test("a link that is called a batch is not followed", { skip: isWindows }, async () => {
  await writeFile(join(parent, "secret"), "theirs");
  await symlink(join(parent, "secret"), join(life, "a-1.batch"));
  assert.match(await whyNot("a-1"), /ELOOP/);
});

test("a file that is larger than any batch is not read", async () => {
  const file = await open(join(life, "a-1.batch"), "w");
  await file.truncate(2 ** 41);
  await file.close();
  assert.match(await whyNot("a-1"), /has 2199023255552 bytes, but a batch may have at most/);
});

test("a directory that is called a batch is reported", async () => {
  await mkdir(join(life, "a-1.batch"));
  assert.match(await whyNot("a-1"), /EISDIR|is not a regular file/);
});

test("a batch that could not be read again is not written", async () => {
  const { store, close } = await openStore(directory);
  const large = new Uint8Array((64 << 20) + 1);
  assert.match((await rejection(store.write("a-1", large))).message, /may have at most 67108864/);
  await close();
});

test("a link with the name of a run's directory is not followed", { skip: isWindows }, async () => {
  const elsewhere = join(parent, "elsewhere");
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, "a-1.batch"), "theirs");
  await symlink(elsewhere, join(directory, "v1-fedcba9876543210"));
  const { keys, close } = await openStore(directory);
  assert.deepEqual(keys, []);
  await close();
  assert.equal(await readFile(join(elsewhere, "a-1.batch"), "utf8"), "theirs");
});

test("a link that is called a lock is neither followed nor written to", {
  skip: isWindows,
}, async () => {
  await writeFile(join(parent, "secret"), "theirs");
  await writeFile(join(life, "a-1.batch"), "one");
  await symlink(join(parent, "secret"), join(life, "lock"));
  const { store, keys, close } = await openStore(directory);
  assert.deepEqual(keys, ["a-1"]);
  await store.remove("a-1");
  await close();
  assert.equal(await readFile(join(parent, "secret"), "utf8"), "theirs");
  assert.deepEqual(await readdir(directory), []);
});

test("the store's files are for their owner alone, with any umask", {
  skip: isWindows,
}, async () => {
  await rm(directory, { recursive: true });
  await run(`
    import { fileStore } from "shardbus/stores/fs";
    process.umask(0);
    const store = fileStore(${JSON.stringify(directory)});
    store.writeSync("a-1", new Uint8Array([1]));
    await store.open();
    store.writeSync("a-2", new Uint8Array([1]));
    await store.write("a-3", new Uint8Array([1]));
    process.exit();
  `);
  const paths = await readdir(directory, { recursive: true });
  assert.lengthOf(
    paths.filter((path) => path.endsWith(".batch")),
    3,
  );
  for (const path of ["", ...paths]) {
    const stats = await stat(join(directory, path));
    // The directory decides who may connect to a socket.
    if (stats.isSocket()) continue;
    assert.equal(stats.mode & 0o777, stats.isDirectory() ? 0o700 : 0o600, path);
  }
});

test("files are for their owner alone in a directory that was there before, too", {
  skip: isWindows,
}, async () => {
  await chmod(directory, 0o777);
  const { store, close } = await openStore(directory);
  await store.write("a-1", bytes("one"));
  const names = (await readdir(directory, { recursive: true })).filter((name) => name !== "lock");
  for (const name of names.filter((name) => name.includes("/") && !name.endsWith("lock"))) {
    assert.equal((await stat(join(directory, name))).mode & 0o077, 0, name);
  }
  assert.isTrue(names.some((name) => name.endsWith("a-1.batch")));
  await store.remove("a-1");
  await close();
});

/** More than a store looks at before its first batch leaves. */
const PLANTED = partOf(5000, 1500);

/** @type {{ [what: string]: (nth: number) => Promise<unknown> }} */
const junk = {
  files: (nth) => writeFile(join(directory, `junk-${nth}`), ""),
  batches: (nth) => writeFile(join(life, `0-${nth}.batch`), "junk"),
  lives: (nth) => mkdir(join(directory, `v1-f${nth.toString(16).padStart(15, "0")}`)),
  "lives of other versions": (nth) =>
    mkdir(join(directory, `v2-${nth.toString(16).padStart(16, "0")}`)),
};

for (const [what, plant] of Object.entries(junk)) {
  test(`a bus's own events do not wait for planted files: ${what}`, async () => {
    for (let nth = 0; nth < PLANTED; nth += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, i) => plant(nth + i)));
    }
    let failures = 0;
    const left = deferred();
    const bus = new EventBus(() => left.resolve(), {
      store: fileStore(directory),
      onStoreError: () => failures++,
    });
    bus.ingest("own");
    await within(left.promise, () => `it has not left after ${failures} failures`, 60_000);
    // The planted files were looked at in part by then, whatever the speed of the machine.
    assert.isBelow(failures, PLANTED / 2);
    await bus.close();
  });
}

test("nothing of a long backlog is left out", async () => {
  for (let nth = 0; nth < 350; nth++) await writeFile(join(life, `a-${nth}.batch`), "one");
  const { keys, foundLater, close, store } = await openStore(directory);
  for (const key of keys) await store.read(key);
  /** @type {string[]} */
  const later = [];
  while (keys.length + later.length < 350) {
    const before = later.length;
    const found = await foundLater(before + 1);
    for (const key of found.slice()) if (!later.includes(key)) later.push(key);
    for (const key of later) await store.read(key);
  }
  assert.lengthOf(new Set([...keys, ...later]), 350);
  await close();

  const whole = fileStore(directory);
  assert.lengthOf(await whole.open(), 350);
  await whole.close?.();
});

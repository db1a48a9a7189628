// @ts-check
// A process with a file store is replaced by another while it is still there: `pm2 reload`, a rolling
// update, a hot reload. Node only.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "./child.node.mjs";
import { filesUnder } from "./file-store.node.mjs";
import { afterEach, assert, beforeEach, test } from "./harness.mjs";

/** @type {string} */
let directory;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shardbus-rolling-"));
});

afterEach(() => rm(directory, { recursive: true }));

/** A process with a bus, that sends or that cannot. @param {string} callback @param {string} rest */
const service = (callback, rest) =>
  start(`
    import { EventBus } from "shardbus";
    import { fileStore } from "shardbus/stores/fs";
    const bus = new EventBus(${callback}, {
      store: fileStore(${JSON.stringify(directory)}),
      batch: { maxDelayMs: 5 },
      onStoreError: ({ message }) => console.log("store error:", message),
    });
    ${rest}
    setInterval(() => {}, 1000);
  `);

const print = 'async (batch) => console.log("sent " + batch.events().join() + ";")';
const hang = 'async () => { console.log("called"); await new Promise(() => {}); }';

for (const [how, end] of /** @type {const} */ ([
  ["is closed", (/** @type {ReturnType<typeof start>} */ old) => old.write("close")],
  ["is killed", (/** @type {ReturnType<typeof start>} */ old) => void old.kill()],
])) {
  test(`the events of a process that ${how} are sent by its successor, which ran before`, async () => {
    const old = service(
      hang,
      `bus.ingest("old");
       process.stdin.once("data", async () => {
         await bus.close({ timeoutMs: 10 });
         process.exit();
       });`,
    );
    await old.said("called");
    const successor = service(
      print,
      `bus.ingest("new");
       process.stdin.once("data", async () => {
         await bus.close();
         console.log("closed");
         process.exit();
       });`,
    );
    try {
      // While the old one has the directory, the new one sends.
      await successor.said("sent new;");
      end(old);
      await successor.said("sent old;");
      successor.write("close");
      await successor.said("closed");
      assert.notInclude(successor.output(), "store error");
      assert.deepEqual(await filesUnder(directory), []);
    } finally {
      await successor.kill();
      await old.kill();
    }
  });
}

// @ts-check
// The package evaluated more than once in a process, as by hot reloading, by `import` beside `require`,
// or in two versions: buses of each copy work beside each other.
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as esm from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { afterEach, assert, beforeEach, eventually, test } from "./harness.mjs";

const require = createRequire(import.meta.url);

/** A copy of its own, each time. */
function freshCopy() {
  for (const path of ["shardbus", "shardbus/stores/fs"]) {
    delete require.cache[require.resolve(path)];
  }
  return { ...require("shardbus"), ...require("shardbus/stores/fs") };
}

/** @type {string} */
let directory;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "shardbus-twice-"));
});
afterEach(() => rm(directory, { recursive: true }));

test("buses of different copies share a directory, and each has a store", async () => {
  const outbox = join(directory, "outbox");
  const copies = [{ EventBus: esm.EventBus, fileStore }, freshCopy(), freshCopy()];
  assert.lengthOf(new Set(copies.map((copy) => copy.EventBus)), 3);
  /** @type {unknown[]} */
  const errors = [];
  const down = () => {
    throw new Error("down");
  };
  const buses = copies.map(
    (copy) =>
      new copy.EventBus(down, {
        store: copy.fileStore(outbox),
        batch: { maxDelayMs: 5 },
        onDrop: () => {},
        onStoreError: (/** @type {unknown} */ error) => errors.push(error),
      }),
  );
  for (const [i, bus] of buses.entries()) {
    bus.ingest(i);
    assert.isTrue(bus.saveSync(), `copy ${i} has a store`);
  }
  await Promise.all(buses.map((bus) => bus.close({ timeoutMs: 100 })));
  assert.isEmpty(errors);

  /** @type {unknown[]} */
  const sent = [];
  const next = new esm.EventBus((batch) => void sent.push(...batch.events()), {
    store: fileStore(outbox),
  });
  // On a busy machine it finds some of them at its second look.
  await eventually(
    () => sent.length >= buses.length,
    () => `only [${sent}] are sent`,
  );
  await next.close();
  assert.sameMembers(sent, [0, 1, 2], "what each left is sent by the next, once");
});

test("an error of one copy is known to another", () => {
  const copy = freshCopy();
  const error = new copy.DeliveryError("no");
  assert.isFalse(error instanceof esm.DeliveryError);
  assert.isTrue(esm.isShardbusError(error));
});

test("an error with the class of another copy is understood", async () => {
  const copy = freshCopy();
  /** @type {string[]} */
  const reasons = [];
  const bus = new esm.EventBus(
    () => {
      throw new copy.DeliveryError("no", { retryable: false });
    },
    { onDrop: ({ reason }) => reasons.push(reason) },
  );
  bus.ingest(1);
  await bus.close();
  assert.deepEqual(reasons, ["permanent"]);
});

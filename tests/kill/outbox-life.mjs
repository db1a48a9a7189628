// @ts-check

// One life of the process that outbox.test.mjs kills: a bus under load, with a store in a
// directory. It prints each action before the next one, so that the killing test knows it.
import { writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { DeliveryError, EventBus } from "shardbus";
import { customStore } from "shardbus/stores/custom";
import { fileStore } from "shardbus/stores/fs";

const [directory = "", url = "", life = "", isLast] = process.argv.slice(2);

/** Synchronous, unlike `console.log`, whose output a kill may cut off. @param {string} line */
const tell = (line) => writeSync(1, `${line}\n`);

const files = fileStore(directory);

const store = customStore({
  open: (found) => files.open(found),
  read: (key) => files.read(key),
  async write(key, bytes) {
    await files.write(key, bytes);
    tell(`written ${key}`);
  },
  remove: (key) => files.remove(key),
  setAside: async (key) => files.setAside?.(key),
  close: async () => files.close?.(),
});

/** Tells whether a batch of any life is still there. */
async function hasBatches() {
  const paths = await readdir(directory, { recursive: true });
  return paths.some((path) => path.endsWith(".batch"));
}

const bus = new EventBus(
  async (batch, { signal }) => {
    tell(`called ${batch.id}`);
    const headers = { "idempotency-key": batch.id };
    const response = await fetch(url, { method: "POST", headers, body: batch.body, signal });
    if (!response.ok) throw DeliveryError.fromResponse(response);
  },
  {
    store,
    shards: 4,
    batch: { minSize: 20, maxSize: 50, maxDelayMs: 20 },
    retry: { maxAttempts: Number.POSITIVE_INFINITY, baseDelayMs: 1, maxDelayMs: 10 },
    // A write may take a quarter of it, on a busy disk too.
    timeoutMs: 60_000,
    onStoreError: ({ operation, key, message }) => tell(`error ${operation} ${key} ${message}`),
    onDrop: ({ reason, batch }) => {
      if (batch !== undefined) tell(`dropped ${batch.id} ${reason}`);
    },
  },
);

tell("ready");
if (isLast === undefined) {
  let n = 0;
  setInterval(() => {
    for (let i = 0; i < 40; i++) bus.ingest({ event: `${life}-${n++}` });
  }, 4);
} else {
  // A store reports a large backlog little by little; a flush covers the known part.
  do await bus.flush();
  while (await hasBatches());
  tell(`closed ${JSON.stringify(await bus.close())}`);
}

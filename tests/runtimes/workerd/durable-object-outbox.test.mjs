// @ts-check
// The example beside which this is named: its store by itself, and its Worker.
import { afterEach, assert, beforeEach, test, within } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

const EXAMPLE = "../../../examples/durable-object-outbox";

/** @type {Awaited<ReturnType<typeof startCollector>>} */
let collector;
/** @type {Awaited<ReturnType<typeof startWorker>> | undefined} */
let worker;

beforeEach(async () => {
  collector = await startCollector();
});

afterEach(async () => {
  await worker?.stop();
  await collector.stop();
});

/** An object that runs a request's operation on its store. */
const storeObject = `
  // The Worker's configuration names its module.
  import "shardbus";
  import { durableObjectStore } from "${EXAMPLE}/store.mjs";
  const fill = (seed, size) => Uint8Array.from({ length: size }, (_, i) => (i * 7 + seed) % 251);
  const sum = (bytes) => bytes && [bytes.length, bytes.reduce((sum, byte, i) => (sum * 31 + byte) % 65_521, 7)];
  export class FlushingObject {
    constructor(ctx) {
      this.ctx = ctx;
      this.store = durableObjectStore(ctx.storage);
    }
    async fetch(request) {
      const { searchParams } = new URL(request.url);
      const [method, key] = [searchParams.get("method"), searchParams.get("key")];
      const bytes = fill(Number(searchParams.get("seed")), Number(searchParams.get("size")));
      if (method === "reset") this.ctx.abort("on purpose");
      if (method === "sum") return Response.json(sum(bytes));
      if (method === "names") return Response.json([...(await this.ctx.storage.list()).keys()]);
      const result = await this.store[method](key, bytes).catch(({ message }) => ({ message }));
      return Response.json((method === "read" ? sum(result) : result) ?? null);
    }
  }
  export default {
    async fetch(request, env) {
      return env.OBJECTS.get(env.OBJECTS.idFromName("the one")).fetch(request);
    },
  };
`;

test("the store finds batches of any size in its next run", async () => {
  worker = await startWorker(storeObject, collector.port);
  const { url } = worker;
  /** @param {string} method @param {{ [name: string]: string | number }} [args] */
  const call = async (method, args = {}) => {
    const query = new URLSearchParams({ method, ...args });
    const response = await within(fetch(`${url}/?${query}`), () => `${method} hangs`);
    return response.ok ? response.json() : response.text();
  };
  // Around the size of a chunk, and the largest.
  const sizes = [0, 1, 99_999, 100_000, 100_001, 270_000, 12_800_000];
  assert.deepEqual(await call("open"), []);
  for (const size of sizes) await call("write", { key: `a-${size}`, size, seed: 1 });
  assert.include((await call("write", { key: "b", size: 12_800_001 })).message, "too large");
  await call("reset");

  const keys = sizes.map((size) => `a-${size}`);
  assert.sameMembers(await call("open"), keys);
  for (const size of sizes) {
    const read = await call("read", { key: `a-${size}` });
    assert.deepEqual(read, await call("sum", { size, seed: 1 }), `${size} bytes`);
  }
  assert.isNull(await call("read", { key: "b" }));

  await call("write", { key: "a-270000", size: 3, seed: 2 });
  assert.deepEqual(
    await call("read", { key: "a-270000" }),
    await call("sum", { size: 3, seed: 2 }),
  );
  await call("setAside", { key: "a-100001" });
  await call("setAside", { key: "never there" });
  assert.isNull(await call("read", { key: "a-100001" }));
  for (const key of [...keys, "never there"]) await call("remove", { key });
  assert.deepEqual(await call("open"), []);
  assert.deepEqual(await call("names"), ["corrupt/a-100001/000", "corrupt/a-100001/001"]);
});

/** The example, with other names for the class and its binding, and a way to reset the object. */
const resettableObject = `
  import example, { Events } from "${EXAMPLE}/worker.mjs";
  export class FlushingObject extends Events {
    constructor(ctx) {
      super(ctx);
      this.ctx = ctx;
    }
    fetch(request) {
      if (request.method === "DELETE") this.ctx.abort("on purpose");
      return super.fetch(request);
    }
  }
  export default { fetch: (request, env) => example.fetch(request, { EVENTS: env.OBJECTS }) };
`;

test("a batch that an object was sending when it was reset is sent again by its next run", async () => {
  worker = await startWorker(resettableObject, collector.port);
  const { url } = worker;
  collector.holdNext();
  for (const n of [1, 2]) await fetch(url, { method: "POST", body: JSON.stringify({ n }) });
  const first = await collector.nth(1);
  await (await fetch(url, { method: "DELETE" })).text();
  assert.isFalse(await within(first.ended, () => "the send goes on"), "it is cut off");

  // Nobody calls the new object but the alarm, which is repeated.
  const again = await collector.nth(2);
  assert.equal(again.id, first.id);
  assert.deepEqual(again.events, [{ n: 1 }, { n: 2 }]);
  await fetch(url, { method: "POST", body: JSON.stringify({ n: 3 }) });
  const next = await collector.nth(3);
  assert.notEqual(next.id, first.id);
  assert.deepEqual(next.events, [{ n: 3 }]);
});

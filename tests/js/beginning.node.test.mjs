// @ts-check
// The first bus of a process, which begins without the WebAssembly module. Each test is a program of
// its own. Node only.
import { createRequire } from "node:module";
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

/** Counts the loaded modules; `turn` waits for the end of a turn. */
const prelude = `
  import { EventBus } from "shardbus";
  const { Instance } = WebAssembly;
  let loaded = 0;
  let refused;
  WebAssembly.Instance = class extends Instance {
    constructor(...args) {
      if (refused !== undefined) throw refused;
      super(...args);
      loaded++;
    }
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const print = (value) => console.log(JSON.stringify(value));
`;

test("the module is loaded when the first batch is due, and the batch is whole", async () => {
  const output = await run(`${prelude}
    let arrive;
    const arrival = new Promise((resolve) => { arrive = resolve; });
    const bus = new EventBus(arrive, { batch: { maxDelayMs: 50 } });
    const from = BigInt(Date.now()) * 1_000_000n;
    bus.ingest("first");
    bus.ingestRaw('"second"');
    bus.emit("third");
    bus.emit("fourth");
    await turn();
    const before = loaded;
    const keepAlive = setInterval(() => {}, 1000);
    const batch = await arrival;
    clearInterval(keepAlive);
    const to = BigInt(Date.now()) * 1_000_000n;
    const isInTime = from <= batch.firstTimestamp && batch.lastTimestamp <= to;
    await bus.close();
    print([before, loaded, batch.events(), isInTime, bus.stats().delivered]);
  `);
  assert.deepEqual(JSON.parse(output), [0, 1, ["first", "second", "third", "fourth"], true, 4]);
});

test("a flush, statistics and a batch of events load the module at once", async () => {
  for (const [use, events] of /** @type {const} */ ([
    ["await bus.flush()", 1],
    ["bus.stats()", 1],
    ["bus.ingestBatch([1, 2])", 3],
    ["bus.drain()", 0],
  ])) {
    const output = await run(`${prelude}
      const seen = [];
      const bus = new EventBus((batch) => seen.push(...batch.events()));
      bus.ingest("first");
      const before = loaded;
      ${use};
      const after = loaded;
      await bus.close();
      print([before, after, seen.length]);
    `);
    assert.deepEqual(JSON.parse(output), [0, 1, events], use);
  }
});

test("the first bus of a copy keeps the bounds of its options as the second does", async () => {
  const cases = [
    { capacity: 2 },
    { capacity: 3, backpressure: "drop-newest" },
    { capacity: 8, backpressure: { sample: 2 } },
    { maxBytes: 40, backpressure: "fail-producer" },
    { maxEventBytes: 8 },
    { maxKeyBytes: 1, shards: 2 },
    { batch: { minSize: 1 } },
    { batch: { maxBytes: 30 }, format: "json" },
    { batch: { adaptive: false, maxSize: 3, minSize: 2 } },
  ];
  for (const options of cases) {
    const [first, second] = [await observe(options, true), await observe(options, false)];
    assert.deepEqual(first, second, JSON.stringify(options));
  }
});

/**
 * Offers events to a bus of a new copy of the package, in several turns.
 *
 * @param {object} options
 * @param {boolean} isFirst
 */
async function observe(options, isFirst) {
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve("shardbus")];
  /** @type {typeof import("shardbus")} */
  const { EventBus, isShardbusError } = require("shardbus");
  if (!isFirst) new EventBus(() => {}).stats();
  /** @type {string[]} */
  const bodies = [];
  const send = (/** @type {import("shardbus").Batch} */ batch) => {
    bodies.push(new TextDecoder().decode(batch.body));
  };
  const bus = new EventBus(send, { onDrop: () => {}, routingSeed: 1n, ...options });
  const results = [];
  for (let n = 0; n < 9; n++) {
    try {
      results.push(bus.ingest(`event${n * 100}`, { key: "k".repeat(n % 3) }));
    } catch (error) {
      results.push(isShardbusError(error) ? error.code : error);
    }
    if (n % 4 === 3) await new Promise((resolve) => setImmediate(resolve));
  }
  await bus.close();
  const { offered, accepted, rejected, evicted, delivered, batches } = bus.stats();
  return { results, bodies, offered, accepted, rejected, evicted, delivered, batches };
}

test("a module that cannot be loaded when it is needed is a failed one", async () => {
  const output = await run(`${prelude}
    const bus = new EventBus(() => {});
    bus.ingest("first");
    refused = new RangeError("out of memory");
    for (const use of [() => bus.flush(), async () => bus.ingest("second")]) {
      await use().catch((error) => print([error.code, error.cause.cause.message]));
    }
  `);
  const [flush, ingest] = output.trim().split("\n");
  assert.equal(flush, '["ERR_POISONED","out of memory"]');
  assert.equal(ingest, '["ERR_POISONED","out of memory"]');
});

test("where the stack is too full to load the module, the events wait on", async () => {
  const output = await run(`${prelude}
    const seen = [];
    const bus = new EventBus((batch) => seen.push(...batch.events()));
    bus.ingest("first");
    const refusals = new Set();
    const climb = (depth) => {
      try { climb(depth + 1); } catch {}
      if (loaded > 0) return;
      try { bus.stats(); } catch (error) { refusals.add(error.name); }
    };
    climb(0);
    bus.ingest("second");
    await bus.close();
    print([[...refusals], loaded, seen]);
  `);
  assert.deepEqual(JSON.parse(output), [["RangeError"], 1, ["first", "second"]]);
});

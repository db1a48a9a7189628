// @ts-check
// A bus's effects on its process: each test is a program of its own. Node only.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

// Longer than the tests wait: a program that waits for one of its own timers fails.
const HOUR_MS = "3600000";

const setUp = `
  import { EventBus } from "shardbus";
  const slow = { batch: { maxDelayMs: ${HOUR_MS} } };
  const print = (batch) => console.log(...batch.events());
`;

test("a program that has closed its bus exits", async () => {
  const output = await run(`${setUp}
    const bus = new EventBus(print, slow);
    bus.ingest("sent");
    await bus.close({ timeoutMs: ${HOUR_MS} });
    console.log("closed");
  `);
  assert.equal(output, "sent\nclosed\n");
});

test("a program that has closed its bus in the middle of everything exits", async () => {
  for (const scheduler of ["auto", "manual"]) {
    const output = await run(`${setUp}
      const bus = new EventBus(() => new Promise(() => {}), {
        ...slow, scheduler: "${scheduler}", maxBytes: 100, timeoutMs: ${HOUR_MS}, onDrop: () => {},
      });
      bus.ingest("x".repeat(90));
      bus.flush();
      bus.flush({ timeoutMs: ${HOUR_MS} });
      bus.ready().catch(() => {});
      bus.waitUntil({ waitUntil: () => {} });
      await bus.close({ timeoutMs: 100 });
      bus.ingest("late");
      console.log("closed");
    `);
    assert.equal(output, "closed\n", scheduler);
  }
});

test("delays of months make no timer that overflows", async () => {
  const output = await run(`${setUp}
    const month = 31 * 86_400_000;
    const bus = new EventBus(() => { throw new Error("no"); }, {
      batch: { maxDelayMs: month }, timeoutMs: month, retry: { baseDelayMs: month, maxDelayMs: month },
    });
    bus.ingest(1);
    await null;
    await bus.flush({ timeoutMs: 50 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(bus.stats().inFlight);
  `);
  assert.equal(output, "1\n");
});

test("a program that has flushed, and forgot to close, exits", async () => {
  const output = await run(`${setUp}
    const bus = new EventBus(print, slow);
    bus.ingest("sent");
    await bus.flush({ timeoutMs: ${HOUR_MS} });
    bus.ingest("not sent");
  `);
  assert.equal(output, "sent\n");
});

test("a program that waits for nothing exits, and its events are its own fault", async () => {
  const output = await run(`${setUp}
    new EventBus(print, slow).ingest("not sent");
    new EventBus(print).ingest("not sent either");
  `);
  assert.equal(output, "");
});

test("a pause between attempts keeps a program alive while it waits for its flush", async () => {
  const output = await run(`${setUp}
    let attempts = 0;
    const bus = new EventBus(async (batch) => {
      if (++attempts < 4) throw new Error("no");
      print(batch);
    }, { ...slow, retry: { baseDelayMs: 100, maxDelayMs: 100 } });
    bus.ingest("sent at last");
    const { delivered } = await bus.flush();
    console.log(attempts, delivered);
  `);
  assert.equal(output, "sent at last\n4 1\n");
});

test("a pause that began without a waiter keeps a program alive once there is one", async () => {
  const output = await run(`${setUp}
    import { DeliveryError } from "shardbus";
    let failed;
    const failure = new Promise((resolve) => { failed = resolve; });
    const bus = new EventBus(async (batch, { attempt }) => {
      if (attempt === 2) return print(batch);
      setTimeout(failed, 20);
      throw new DeliveryError("busy", { retryAfterMs: 200 });
    }, { batch: { minSize: 1 } });
    bus.ingest("sent at last");
    await failure;
    await bus.flush();
  `);
  assert.equal(output, "sent at last\n");
});

test("an attempt that hangs keeps a program alive only while it waits for its flush", async () => {
  const options = "{ ...slow, timeoutMs: 50, retry: false, onDrop: () => {} }";
  const awaited = await run(`${setUp}
    const bus = new EventBus(() => new Promise(() => {}), ${options});
    bus.ingest(1);
    console.log((await bus.flush()).abandoned);
  `);
  assert.equal(awaited, "1\n");
  const forgotten = await run(`${setUp}
    const bus = new EventBus(() => new Promise(() => {}), { ...slow, timeoutMs: ${HOUR_MS} });
    bus.ingest(1);
    console.log((await bus.flush({ timeoutMs: 50 })).timedOut);
  `);
  assert.equal(forgotten, "true\n");
});

test("a retry that nobody waits for does not keep a program alive", async () => {
  const output = await run(`${setUp}
    const bus = new EventBus(async () => { throw new Error("no"); }, {
      retry: { baseDelayMs: ${HOUR_MS}, maxDelayMs: ${HOUR_MS} },
    });
    bus.ingest(1);
    console.log((await bus.flush({ timeoutMs: 50 })).pending);
  `);
  assert.equal(output, "1\n");
});

test("a manual bus keeps a program alive only while it waits for the bus", async () => {
  const output = await run(`${setUp}
    const manual = { ...slow, scheduler: "manual", onDrop: () => {} };
    new EventBus(print, manual).ingest("not sent");
    new EventBus(print, { ...manual, capacity: 2 }).ingestBatch(["lost", "lost", "not sent"]);

    let attempts = 0;
    const retrying = new EventBus(async (batch) => {
      if (++attempts < 3) throw new Error("no");
      print(batch);
    }, { ...manual, retry: { baseDelayMs: 100, maxDelayMs: 100 } });
    retrying.ingest("sent at last");
    await retrying.flush();

    // Their leftovers would take an hour.
    const hanging = new EventBus(() => new Promise(() => {}), { ...manual, timeoutMs: ${HOUR_MS} });
    hanging.ingest(1);
    console.log((await hanging.flush({ timeoutMs: 50 })).timedOut);
    const paused = new EventBus(async () => { throw new Error("no"); }, {
      ...manual,
      retry: { baseDelayMs: ${HOUR_MS}, maxDelayMs: ${HOUR_MS} },
    });
    paused.ingest(1);
    console.log((await paused.flush({ timeoutMs: 50 })).timedOut);
  `);
  assert.equal(output, "sent at last\ntrue\ntrue\n");
});

test("a loss that is held back does not keep a program alive", async () => {
  const output = await run(`${setUp}
    const bus = new EventBus(print, { onDrop: ({ reason, count }) => console.log(reason, count) });
    for (const turn of [1, 2, 3]) {
      bus.ingestBatch([undefined]);
      await null;
    }
  `);
  assert.equal(output, "invalid 1\n");
});

test("a program that waits for room gets it, and exits", async () => {
  const output = await run(`${setUp}
    const bus = new EventBus(() => {}, { capacity: 4, batch: { maxDelayMs: 10 } });
    for (let i = 0; i < 10; i++) {
      await bus.ready();
      bus.ingest(i);
    }
    console.log(bus.stats().evicted);
  `);
  assert.equal(output, "0\n");
});

test("a program exits whose stream into a full bus was aborted in an outage", async () => {
  const output = await run(`${setUp}
    const { writableTo } = await import("shardbus/streams");
    const down = () => Promise.reject(new Error("away"));
    const bus = new EventBus(down, { capacity: 4, onDrop: () => {} });
    const aborter = new AbortController();
    const writer = writableTo(bus, { signal: aborter.signal }).getWriter();
    writer.closed.catch(() => {});
    for (let i = 0; i < 20; i++) writer.write(i).catch((error) => console.log(i, error.message));
    setTimeout(() => aborter.abort(new Error("enough")), 20);
  `);
  assert.match(output, /19 enough\n$/);
});

test("importing the package, or making a bus, prints, starts and draws nothing", async () => {
  const output = await run(`
    const touch = (name) => () => { console.log(name); return 0; };
    for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"]) {
      globalThis[name] = touch(name);
    }
    Math.random = touch("Math.random");
    for (const name of ["getRandomValues", "randomUUID"]) {
      Object.defineProperty(crypto, name, { value: touch(name) });
    }
    process.on("beforeExit", () => console.log("idle"));
    const { EventBus } = await import("shardbus");
    new EventBus(() => {}, { shards: 4, onDrop: () => {} });
  `);
  assert.equal(output, "idle\n");
});

test("making and using a bus leaves nothing on the global object", async () => {
  const output = await run(`
    const before = Object.getOwnPropertyNames(globalThis);
    const { EventBus } = await import("shardbus");
    const bus = new EventBus(() => {});
    bus.ingest(1);
    await bus.close();
    console.log(Object.getOwnPropertyNames(globalThis).filter((name) => !before.includes(name)));
  `);
  assert.equal(output, "[]\n");
});

test("a bus that nobody holds any more is freed", async () => {
  const output = await run(
    `${setUp}
    import { watchMemory } from "./memory.mjs";
    const memoryBytes = watchMemory();
    const sizes = [];
    for (let i = 0; i < 60; i++) {
      const bus = new EventBus(print, { scheduler: "manual" });
      for (let n = 0; n < 40; n++) bus.ingest("x".repeat(30_000));
      bus.stats();
      await new Promise((resolve) => setTimeout(resolve));
      gc();
      await new Promise((resolve) => setTimeout(resolve));
      sizes.push(memoryBytes());
    }
    // All of them together held 70 MB.
    console.log(sizes.at(-1) < 16 << 20);
  `,
    ["--expose-gc"],
  );
  assert.equal(output, "true\n");
});

test("require gives the same as import, and knows its errors", async () => {
  const output = await run(`${setUp}
    import { isShardbusError } from "shardbus";
    import { createRequire } from "node:module";
    const required = createRequire(import.meta.url)("shardbus");
    const bus = new required.EventBus(print);
    bus.ingest("sent");
    try { bus.ingest(undefined); } catch (error) { console.log(isShardbusError(error)); }
    await bus.close();
    console.log(Object.keys(required).sort().join() === Object.keys(await import("shardbus")).sort().join());
  `);
  assert.include(output, "true\n");
  assert.include(output, "sent\n");
  assert.notInclude(output, "false");
});

test("a process survives a core that has failed, and buses that nobody holds any more", async () => {
  const output = await run(
    `
    import { EventBus } from "shardbus";
    const bus = new EventBus(() => {});
    (() => {
      for (let i = 0; i < 50; i++) new EventBus(() => {}).ingest(i);
    })();
    // A time that is no number throws on its way into the core.
    bus.ingest(1);
    const { now } = Date;
    Date.now = () => ({ valueOf() { throw new RangeError("no time for it"); } });
    try { bus.stats(); } catch {}
    Date.now = now;
    for (let turn = 0; turn < 5; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
    }
    try { bus.ingest(1); } catch (error) { console.log(error.code, String(error.cause)); }
  `,
    ["--expose-gc"],
  );
  assert.equal(output, "ERR_POISONED RangeError: no time for it\n");
});

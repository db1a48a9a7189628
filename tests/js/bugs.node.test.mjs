// @ts-check
// Reports of shardbus's own bugs: each test is a program of its own, in which a function that the
// bus needs fails once. Node only.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

/** A bus whose next look at the clock fails, in a turn where nobody could catch it. */
const setUp = (/** @type {string} */ scheduler) => `
  import { EventBus } from "shardbus";
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, ({ message }) => console.log("uncaught:", message));
  }
  const bus = new EventBus((batch) => console.log(...batch.events()), {
    scheduler: "${scheduler}",
    maxBytes: 1000,
    batch: { maxDelayMs: 3_600_000 },
    onDrop: ({ reason, count }) => console.log("lost:", count, reason),
  });
  bus.ingest("x".repeat(900));
  bus.stats();
  const { now } = Date;
  const fail = () => {
    Date.now = () => {
      Date.now = now;
      throw new Error("a bug");
    };
  };
  const told = (what) => what.then(() => "nothing", ({ message }) => message);
`;

for (const waiter of ["flush", "ready"]) {
  test(`a bug rejects ${waiter}() and reaches the program, and the bus goes on`, async () => {
    const output = await run(`${setUp("auto")}
      const waiting = [bus.${waiter}(), bus.${waiter}()].map(told);
      fail();
      console.log("told:", ...await Promise.all(waiting));
      await bus.flush();
      console.log(bus.stats().delivered);
      await bus.close();
    `);
    const lines = output.trim().split("\n");
    assert.sameMembers(lines, ["uncaught: a bug", "told: a bug a bug", "x".repeat(900), "1"]);
  });
}

test("a bug rejects a manual flush(), and the bus goes on", async () => {
  const output = await run(`${setUp("manual")}
    fail();
    const waiting = told(bus.flush());
    console.log("told:", await waiting);
    await bus.flush();
    console.log(bus.stats().delivered);
  `);
  assert.equal(output, `told: a bug\n${"x".repeat(900)}\n1\n`);
});

for (const scheduler of ["auto", "manual"]) {
  test(`a bug that nobody waits for reaches the program, ${scheduler}`, async () => {
    const output = await run(`${setUp(scheduler)}
      bus.ingest(1);
      fail();
      await new Promise((resolve) => setTimeout(resolve));
    `);
    assert.equal(output, "uncaught: a bug\n");
  });

  test(`a bug rejects close(), which ends all the same, ${scheduler}`, async () => {
    const output = await run(`${setUp(scheduler)}
      fail();
      const closing = bus.close();
      console.log("told:", await told(closing), await told(bus.close()));
      console.log(bus.ingest("late"), bus.stats().pending);
    `);
    const lines = output.trim().split("\n");
    assert.includeMembers(lines, ["told: a bug a bug", "lost: 1 shutdown", "false 0"]);
  });
}

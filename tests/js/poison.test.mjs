// @ts-check
// How a core that fails shows. It breaks the core of this file for good.
import { EventBus, isShardbusError } from "shardbus";
import { assert, HOUR_MS, hang, idle, recorder, rejection, test, thrown } from "./harness.mjs";

const slow = { batch: { maxDelayMs: HOUR_MS } };

test("after a trap every call says so, and nothing fails anywhere else", async () => {
  const sink = recorder([], hang);
  const bus = new EventBus(sink.callback, slow);
  const other = new EventBus(sink.callback, { maxBytes: 1000, ...slow });
  bus.ingest("sent");
  other.ingest("x".repeat(900));
  const waits = [bus.flush(), other.flush(), other.ready()];
  const calls = await sink.calls(2);
  // No timer can fire before the trap: from here to there it is all one turn.
  waits.push(bus.flush({ timeoutMs: 1 }), other.flush({ timeoutMs: 1 }));
  const rejections = waits.map(rejection);

  // The core does not trap, so a time throws that is no number, on its way in.
  bus.ingest("staged");
  const { now } = Date;
  const noNumber = {
    valueOf() {
      throw new RangeError("no time for it");
    },
  };
  /** @type {any} */
  let trap;
  Date.now = () => /** @type {any} */ (noNumber);
  try {
    trap = thrown(() => bus.stats());
  } finally {
    Date.now = now;
  }
  assert.include(trap, { name: "PoisonedError", code: "ERR_POISONED" });
  assert.instanceOf(trap.cause, RangeError);
  assert.isTrue(isShardbusError(trap));

  const { error } = console;
  /** @type {unknown[]} */
  const said = [];
  console.error = (...words) => said.push(words);
  bus.emit(1);
  bus.emit(2);
  console.error = error;
  assert.lengthOf(said, 1, "`emit` throws nothing, and says so once");

  for (const dead of [bus, other]) {
    for (const use of [
      () => dead.ingest(1),
      () => dead.ingest(undefined),
      () => dead.ingest("x".repeat(100_000)),
      () => dead.ingestRaw("1"),
      () => dead.ingestRaw(new Uint8Array([0x31])),
      () => dead.ingestBatch([1]),
      () => dead.ingestWithReceipt(1),
      () => dead.drain(),
      () => dead.stats(),
      () => new EventBus(() => {}),
    ]) {
      const error = thrown(use);
      assert.equal(error.code, "ERR_POISONED", String(use));
      assert.strictEqual(error.cause, trap.cause);
    }
    for (const use of [
      () => dead.flush(),
      () => dead.ready(),
      () => dead.close(),
      () => dead.close(),
    ]) {
      assert.equal((await rejection(use())).code, "ERR_POISONED", String(use));
    }
  }

  await idle();
  for (const call of calls) call.release();
  for (const error of await Promise.all(rejections)) assert.equal(error.code, "ERR_POISONED");
  await Promise.all([bus.settled(), other.settled()]);
  // Any other failure would show as an uncaught error.
  await idle();
});

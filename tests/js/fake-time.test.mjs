// @ts-check
// Buses under a fake clock like Deno's `FakeTime`: it fakes timers and dates, and nothing else; its
// functions throw once it is over.
import { EventBus } from "shardbus";
import { afterEach, assert, beforeEach, idle, recorder, test } from "./harness.mjs";

class FakeTime {
  /** @type {Map<number, { at: number, task: () => void }>} */
  timers = new Map();
  #now = 0;
  #id = 1;
  #isOver = false;
  #real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    Date: globalThis.Date,
  };

  constructor() {
    const at = Date.now();
    const now = () => at + this.#now;
    Object.assign(globalThis, {
      setTimeout: (/** @type {() => void} */ task, delay = 0) => {
        if (this.#isOver) throw new Error("no fake time");
        this.timers.set(this.#id, { at: this.#now + Math.floor(delay), task });
        return this.#id++;
      },
      clearTimeout: (/** @type {number} */ id) => {
        if (this.#isOver) throw new Error("no fake time");
        this.timers.delete(id);
      },
      Date: class extends Date {
        static now = now;
      },
    });
  }

  /** @param {number} ms */
  tick(ms) {
    const end = this.#now + ms;
    for (let fired = 0; ; fired++) {
      assert.isBelow(fired, 1000, "the tasks of timers set timers that are due at once");
      const [next] = [...this.timers].toSorted(([, a], [, b]) => a.at - b.at);
      if (next === undefined || next[1].at > end) break;
      this.timers.delete(next[0]);
      this.#now = next[1].at;
      next[1].task();
    }
    this.#now = end;
  }

  restore() {
    this.#isOver = true;
    Object.assign(globalThis, this.#real);
  }
}

/** @type {FakeTime} */
let time;
beforeEach(() => {
  time = new FakeTime();
});
afterEach(() => time.restore());

test("moving it delivers the events that are due", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: 3_600_000 } });
  bus.ingest("a");
  await idle();
  assert.isEmpty(sink.log);
  time.tick(3_600_000);
  await idle();
  assert.deepEqual(sink.delivered(), ["a"]);
  await bus.close();
});

test("a flush of many batches ends while it stands still", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { minSize: 1, maxSize: 1 } });
  bus.ingestBatch(Array(50).fill(0));
  assert.equal((await bus.flush()).delivered, 50);
  await bus.close();
});

test("once it is over, a bus goes on with real timers", async () => {
  const sink = recorder();
  const bus = new EventBus(sink.callback, { batch: { maxDelayMs: 20 } });
  bus.ingest("faked");
  await idle();
  time.restore();
  bus.ingest("real");
  await sink.calls(1);
  bus.ingest("later");
  await sink.calls(2);
  assert.deepEqual(sink.delivered(), ["faked", "real", "later"]);
  await bus.close();
});

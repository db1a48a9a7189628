// @ts-check
import { EventBus } from "shardbus";
import {
  accountedStats,
  afterEach,
  assert,
  fail,
  HOUR_MS,
  idle,
  recorder,
  test,
} from "./harness.mjs";

const { warn, error } = console;

afterEach(() => {
  Object.assign(console, { warn, error });
});

/** Collects the lines of `console[method]`. @param {"warn" | "error"} method */
function captured(method) {
  /** @type {unknown[][]} */
  const lines = [];
  console[method] = (...line) => {
    lines.push(line);
  };
  return lines;
}

test("the counts of onDrop add up to the statistics", async () => {
  /** @type {Record<string, number>} */
  const told = {};
  const bus = new EventBus(() => {}, {
    capacity: 4,
    maxEventBytes: 10,
    batch: { maxDelayMs: HOUR_MS },
    onDrop: ({ reason, count, batch }) => {
      assert.isUndefined(batch);
      told[reason] = (told[reason] ?? 0) + count;
    },
  });
  for (let turn = 0; turn < 5; turn++) {
    bus.ingestBatch([1, 2, 3, 4, 5, "x".repeat(turn * 5), undefined]);
    await idle();
  }
  await bus.close();
  bus.ingest(1);
  await idle();
  const { evicted, rejected } = accountedStats(bus);
  assert.deepEqual(told, Object.fromEntries(nonZero({ evicted, ...rejected })));
  assert.sameMembers(Object.keys(told), ["evicted", "oversize", "invalid", "closed"]);
});

for (const backpressure of /** @type {const} */ (["drop-newest", "fail-producer", { sample: 9 }])) {
  test(`onDrop reports rejected events: ${JSON.stringify(backpressure)}`, async () => {
    /** @type {unknown[]} */
    const told = [];
    const bus = new EventBus(() => {}, {
      capacity: 4,
      scheduler: "manual",
      backpressure,
      onDrop: (drop) => told.push(drop),
    });
    bus.ingestBatch([1, 2, 3, 4, 5]);
    assert.isEmpty(told, "not in the middle of a call");
    await idle();
    const reason = typeof backpressure === "object" ? "sampled" : "full";
    assert.deepEqual(told, [{ reason, count: 2 }]);
  });
}

test("rejections while the bus closes are reported, too", async () => {
  /** @type {unknown[]} */
  const told = [];
  const bus = new EventBus(() => {}, {
    onDrop: ({ reason, count, error }) =>
      told.push([reason, count, /** @type {any} */ (error).code]),
  });
  const closed = bus.close();
  assert.isFalse(bus.ingest(1));
  await closed;
  assert.deepEqual(told, [["closed", 1, "ERR_CLOSED"]]);
});

/** @type {[string, () => any][]} */
const brokenHandlers = [
  [
    "throws",
    () => {
      throw new Error("broken handler");
    },
  ],
  ["rejects", () => Promise.reject(new Error("broken handler"))],
];

for (const [what, onDrop] of brokenHandlers) {
  test(`an onDrop that ${what} is reported on the console, and harms nothing`, async () => {
    const errors = captured("error");
    const sink = recorder([fail("no")]);
    const bus = new EventBus(sink.callback, { retry: false, maxEventBytes: 9, onDrop });
    bus.ingest("lost");
    bus.ingestBatch(["too large a text", undefined]);
    await bus.flush();
    bus.ingest("later");
    assert.equal((await bus.flush()).delivered, 1);
    const { abandoned, rejected } = accountedStats(bus);
    assert.deepEqual([abandoned.retries, rejected.oversize, rejected.invalid], [1, 1, 1]);
    await bus.close();
    assert.lengthOf(errors, 3);
    for (const [message, error] of errors) {
      assert.match(String(message), /shardbus.*onDrop/);
      assert.equal(/** @type {any} */ (error).message, "broken handler");
    }
  });
}

test("without onDrop only the first loss of a bus is a warning", async () => {
  const warnings = captured("warn");
  const bus = new EventBus(() => {}, { capacity: 4, scheduler: "manual" });
  bus.ingestBatch([1, 2, 3, 4, 5]);
  await idle();
  bus.ingestBatch([1, 2, 3]);
  await bus.close();
  assert.lengthOf(warnings, 1);
  assert.match(
    String(warnings[0]),
    /shardbus: 2 events were evicted.*only warning.*onDrop.*stats/s,
  );
  new EventBus(() => {}, { capacity: 2, scheduler: "manual" }).ingestBatch([1, 2]);
  await idle();
  assert.lengthOf(warnings, 2);
});

test("without onDrop an abandoned batch is a warning", async () => {
  const warnings = captured("warn");
  const bus = new EventBus(recorder([], fail("no")).callback, { retry: false });
  bus.ingest(1);
  await bus.flush();
  assert.match(String(warnings), /1 event was given up.*: no \(attempt 1\)/);
});

test("where nothing is lost, nothing is said", async () => {
  const warnings = captured("warn");
  const errors = captured("error");
  /** @type {unknown[]} */
  const told = [];
  const buses = [
    new EventBus(() => {}),
    new EventBus(() => {}, { onDrop: (drop) => told.push(drop) }),
  ];
  for (const bus of buses) {
    bus.ingestBatch([1, 2, 3]);
    await bus.close();
  }
  assert.deepEqual([warnings, errors, told], [[], [], []]);
});

/** @param {Record<string, number>} counts */
const nonZero = (counts) => Object.entries(counts).filter(([, count]) => count > 0);

import { EventBus, isShardbusError } from "shardbus";
import { assert, HOUR_MS, rejection, test, thrown } from "./harness.mjs";

const noNumbers = ["8", "", null, true, [], {}, 8n, Symbol("s"), () => {}];
const notWhole = [Number.NaN, -1, 0, 0.5, Number.POSITIVE_INFINITY, ...noNumbers];
const noTime = [Number.NaN, -1, Number.POSITIVE_INFINITY, 31_536_000_001, ...noNumbers];
const noShare = [Number.NaN, -0.1, 1.1, Number.POSITIVE_INFINITY, ...noNumbers];
const noFunctions = ["user", 5, null, {}, []];
const noNames = ["Drop-Oldest", "", 5, null, true, [], {}, Symbol("s"), () => {}];
const noGroups = [5, "x", null, true, [], () => {}];

const bad = {
  shards: [...notWhole, 65_536],
  capacity: [...notWhole, 1, 2 ** 24 + 1, 2 ** 40],
  maxBytes: [...notWhole, 2 ** 31, 2 ** 32, 2 ** 60],
  maxEventBytes: [...notWhole, 2 ** 32],
  maxKeyBytes: [...notWhole, 2 ** 31, 2 ** 32],
  routingSeed: [-1n, 1n << 64n, 5, "8", null, true, [], {}, () => {}],
  backpressure: noNames,
  key: noFunctions,
  format: [...noNames, "JSON"],
  scheduler: [...noNames, "cron"],
  waitUntil: [5, null, "yes", {}, []],
  lifecycle: [...noNames, "unload"],
  exitOrder: [...noNames, "random"],
  batch: noGroups,
  "batch.minSize": notWhole,
  "batch.maxSize": [...notWhole, 1_000_001],
  "batch.maxBytes": [...notWhole, 2 ** 32],
  "batch.maxDelayMs": [...noTime, 0, 1e-7],
  "batch.adaptive": [1, "yes", null, {}],
  "batch.velocityWindowMs": [...noTime, 0],
  retry: noGroups,
  "retry.maxAttempts": [...notWhole, 2 ** 32].filter((value) => value !== Number.POSITIVE_INFINITY),
  "retry.baseDelayMs": noTime,
  "retry.maxDelayMs": noTime,
  "retry.maxAgeMs": [...noTime, 0].filter((value) => value !== Number.POSITIVE_INFINITY),
  "retry.maxRetryAfterMs": noTime,
  scaling: noGroups,
  "scaling.minShards": [...notWhole, 65_536],
  "scaling.maxShards": [...notWhole, 65_536],
  "scaling.autoScale": [1, "yes", null, {}],
  "scaling.fillRatioThreshold": [...noShare, 0],
  "scaling.flushLatencyThresholdMs": noTime,
  "scaling.underutilizedThreshold": noShare,
  "scaling.cooldownMs": [...noTime, 0],
  "scaling.scaleDownDelayMs": [...noTime, 0],
  "scaling.metricsWindowMs": [...noTime, 0],
  timeoutMs: [...noTime, 0],
  onDrop: noFunctions,
  onDelivered: noFunctions,
};

/** `{ batch: { maxSize: value } }` for `batch.maxSize`. */
function optionAt(path, value) {
  const [name, inner] = path.split(".");
  return { [name]: inner === undefined ? value : { [inner]: value } };
}

/** The value as a message shows it. */
function shown(value) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

function assertInvalidOption(error, option, ...parts) {
  assert.equal(error.name, "InvalidOptionError", error.stack);
  assert.equal(error.code, "ERR_INVALID_OPTION");
  assert.isTrue(isShardbusError(error));
  assert.equal(error.option, option, error.message);
  for (const part of parts) assert.include(error.message, part);
}

for (const [path, values] of Object.entries(bad)) {
  test(`a bad ${path} is refused, and the message names the option and the value`, () => {
    for (const value of values) {
      const error = thrown(() => new EventBus(() => {}, optionAt(path, value)));
      assertInvalidOption(error, path, `\`${path}\` is ${shown(value)}, but it must be `);
    }
  });

  // Another option decides whether this one may be 0.
  if (path === "batch.velocityWindowMs") continue;

  test(`the message for a bad ${path} does not depend on the value`, () => {
    // No rule may allow what another one refuses: a caller that follows the message must get through.
    const numbers = values.filter((value) => typeof value === "number");
    const rules = numbers.map((value) => {
      const { message } = thrown(() => new EventBus(() => {}, optionAt(path, value)));
      return message.slice(message.indexOf("but it"));
    });
    assert.isAtMost(new Set(rules).size, 1, [...new Set(rules)].join("; "));
  });
}

test("capacity is rounded up to a power of two, of which one slot stays free", () => {
  for (const [capacity, room] of [
    [2, 1],
    [3, 3],
    [4, 3],
    [1000, 1023],
  ]) {
    const bus = new EventBus(() => {}, { capacity, backpressure: "drop-newest", onDrop() {} });
    assert.equal(bus.ingestBatch(Array(2000).fill(1)).accepted, room);
  }
});

test("a name that is nearly that of an option is told which", () => {
  const meant = {
    maxbytes: "`maxBytes` or `batch.maxBytes`",
    maxsize: "`batch.maxSize`",
    batchSize: "`batch.minSize` or `batch.maxSize`",
    maxDelay: "`batch.maxDelayMs` or `retry.maxDelayMs`",
    maxAttempts: "`retry.maxAttempts`",
    timeout: "`timeoutMs`",
    ondrop: "`onDrop`",
    shard: "`shards`",
    batches: "`batch`",
    "retry.attempts": "`retry.maxAttempts`",
    "batch.maxdelay": "`batch.maxDelayMs`",
    "scaling.maxShard": "`scaling.maxShards`",
  };
  for (const [path, option] of Object.entries(meant)) {
    const error = thrown(() => new EventBus(() => {}, optionAt(path, 1)));
    assertInvalidOption(error, path, `is not an option (did you mean ${option}?); there are `);
  }
  for (const path of ["verbose", "x", "", "batch.a"]) {
    const error = thrown(() => new EventBus(() => {}, optionAt(path, 1)));
    assertInvalidOption(error, path, "is not an option; there are ");
  }
});

test("options that contradict each other are refused", () => {
  const contradictions = [
    [{ maxBytes: 100, maxEventBytes: 101 }, "maxEventBytes", "`maxBytes`"],
    [{ maxEventBytes: 101, batch: { maxBytes: 100 } }, "maxEventBytes", "`batch.maxBytes`"],
    [{ format: "json", maxEventBytes: 99, batch: { maxBytes: 100 } }, "maxEventBytes", "brackets"],
    [{ batch: { minSize: 10, maxSize: 9 } }, "batch.maxSize", "`batch.minSize`"],
    [{ scaling: { minShards: 3, maxShards: 2 } }, "scaling.maxShards", "`scaling.minShards`"],
    [{ shards: 1, scaling: { minShards: 2 } }, "shards", "`scaling.minShards`"],
    [{ shards: 3, scaling: { maxShards: 2 } }, "shards", "`scaling.maxShards`"],
    [{ retry: { baseDelayMs: 10, maxDelayMs: 9 } }, "retry.maxDelayMs", "`retry.baseDelayMs`"],
  ];
  for (const [options, option, ...parts] of contradictions) {
    const error = thrown(() => new EventBus(() => {}, options));
    assertInvalidOption(error, option, `\`${option}\` is `, ...parts);
  }
});

test("a default gives way to an option that leaves it no room", () => {
  for (const options of [
    { maxBytes: 1 },
    { batch: { maxBytes: 1 } },
    { format: "json", batch: { maxBytes: 3 } },
    { batch: { maxSize: 1 } },
    { batch: { minSize: 5000 } },
    { retry: { maxDelayMs: 0 } },
    { retry: { maxAttempts: Number.POSITIVE_INFINITY, maxAgeMs: Number.POSITIVE_INFINITY } },
    { retry: false },
    { scaling: false },
    { scaling: {} },
    { scaling: { minShards: 20 } },
    { shards: 20, scaling: {} },
    { retry: { baseDelayMs: HOUR_MS } },
    { batch: { adaptive: false, velocityWindowMs: 0 } },
  ]) {
    assert.isTrue(new EventBus(() => {}, options).ingest(1), JSON.stringify(options));
  }
});

test("a sample that is no whole number above zero is refused", () => {
  for (const sample of notWhole) {
    const error = thrown(() => new EventBus(() => {}, { backpressure: { sample } }));
    assertInvalidOption(
      error,
      "backpressure.sample",
      `\`backpressure.sample\` is ${shown(sample)}`,
    );
  }
  const error = thrown(() => new EventBus(() => {}, { backpressure: { sample: 2, rate: 2 } }));
  assertInvalidOption(error, "backpressure.rate", "`backpressure.rate` is not an option", "sample");
});

test("a name that is no option is refused, and the message lists those that are", () => {
  const names = {
    maxbytes: "maxBytes",
    flushInterval: "timeoutMs",
    toString: "shards",
    constructor: "shards",
    ["__proto__"]: "shards",
    "batch.size": "maxSize",
    "batch.toString": "maxSize",
    "retry.retries": "maxAttempts",
    "retry.attempts": "maxAttempts",
    "retry.minDelayMs": "baseDelayMs",
    "scaling.max": "maxShards",
  };
  for (const [path, existing] of Object.entries(names)) {
    const error = thrown(() => new EventBus(() => {}, optionAt(path, 1)));
    assertInvalidOption(error, path, `\`${path}\` is not an option`, existing);
  }
});

test("an option that is undefined is one that was not given", () => {
  const unset = Object.keys(bad).reduce(
    (options, path) => Object.assign(options, optionAt(path, undefined)),
    {},
  );
  for (const options of [undefined, null, {}, unset, { batch: {}, retry: {} }]) {
    assert.isTrue(new EventBus(() => {}, options).ingest(1));
  }
});

test("options that are no object are refused", () => {
  for (const options of [5, "x", true, [], () => {}, Symbol("s")]) {
    const error = thrown(() => new EventBus(() => {}, options));
    assertInvalidOption(error, "options", `\`options\` is ${shown(options)}`);
  }
});

test("options that cannot be read are rejected, with their error as the cause", () => {
  const cause = new Error("no");
  const unreadable = Object.defineProperty({}, "shards", {
    enumerable: true,
    get() {
      throw cause;
    },
  });
  const error = thrown(() => new EventBus(() => {}, unreadable));
  assertInvalidOption(error, "options", "cannot be read: no");
  assert.strictEqual(error.cause, cause);
});

test("a callback that is no function is refused", () => {
  for (const callback of [undefined, null, "send", {}, 5, Promise.resolve()]) {
    const error = thrown(() => new EventBus(callback));
    assertInvalidOption(error, "callback", "must be a function");
  }
});

test("options are read once: later changes to them do not show", () => {
  const options = { capacity: 4, backpressure: "drop-newest", batch: { maxSize: 2 } };
  const bus = new EventBus(() => {}, Object.assign(options, { onDrop: () => {} }));
  options.capacity = 8;
  options.batch.maxSize = 1;
  assert.deepEqual(bus.ingestBatch([1, 2, 3, 4]), { accepted: 3, rejected: 1 });
  assert.deepEqual(
    bus.drain().map((batch) => batch.count),
    [2, 1],
  );
});

const badWaits = [
  ...[Number.NaN, -1, 2 ** 31, Number.POSITIVE_INFINITY, ...noNumbers].map((timeoutMs) => [
    { timeoutMs },
    "timeoutMs",
  ]),
  ...[5, "x", null, {}, [], new AbortController()].map((signal) => [{ signal }, "signal"]),
  [{ timeout: 5 }, "timeout"],
  [5000, "options"],
  ["x", "options"],
];

for (const method of ["flush", "close"]) {
  test(`${method} with an option that it cannot have rejects, and changes nothing`, async () => {
    const received = [];
    const bus = new EventBus((batch) => received.push(...batch.events()));
    bus.ingest("before");
    for (const [options, option] of badWaits) {
      const error = await rejection(bus[method](options));
      assertInvalidOption(error, option, `\`${option}\` is `);
    }
    assert.isTrue(bus.ingest("after"));
    assert.equal(bus.stats().pending, 2);
    await bus.close();
    assert.deepEqual(received, ["before", "after"]);
  });
}

test("drain with an option that it cannot have throws, and takes nothing", () => {
  const bus = new EventBus(() => {});
  bus.ingest(1);
  for (const maxBytes of [Number.NaN, -1, ...noNumbers]) {
    assertInvalidOption(
      thrown(() => bus.drain({ maxBytes })),
      "maxBytes",
      `\`maxBytes\` is ${shown(maxBytes)}`,
    );
  }
  assertInvalidOption(
    thrown(() => bus.drain({ maxbytes: 5 })),
    "maxbytes",
    "maxBytes",
  );
  assert.equal(bus.stats().pending, 1);
});

test("a store without an outbox is refused by a sentence that says how it gets one", () => {
  const store = { open() {}, read() {}, write() {}, remove() {} };
  const error = thrown(() => new EventBus(() => {}, { store }));
  assert.equal(error.code, "ERR_INVALID_OPTION");
  assert.include(error.message, "`customStore()` of `shardbus/stores/custom`");
});

// @ts-check
import { ClosedError, EventBus, InvalidOptionError, ScalingError } from "shardbus";
import {
  accountedStats,
  assert,
  deferred,
  HOUR_MS,
  hang,
  idle,
  recorder,
  test,
  thrown,
  vectors,
} from "./harness.mjs";

/** Batches wait for size or time, and neither comes. */
const patient = { minSize: 1000, maxDelayMs: HOUR_MS };

/** The number of shards changes only when the test says so. */
const manual = { autoScale: false, minShards: 1, maxShards: 4 };

/** @param {EventBus<any>} bus */
const states = (bus) => bus.stats().shards.map(({ id, state }) => `${id} ${state}`);

test("shardFor tells where an event goes, by key and by bytes", () => {
  for (const shards of [1, 2, 3, 4, 7, 8, 16, 64]) {
    const bus = new EventBus(() => {}, { shards, scheduler: "manual" });
    for (const { text, shards: expected } of vectors.events) {
      if (text === undefined || expected === undefined) continue;
      const shard = /** @type {Record<string, number>} */ (expected)[shards];
      const bytes = new TextEncoder().encode(text);
      assert.equal(bus.shardFor(bytes), shard, `${text} over ${shards}`);
      assert.equal(bus.shardFor(text), shard, "a key's hash is over its bytes");
      const receipt = bus.ingestWithReceipt({ any: "event" }, { key: text });
      assert.equal("shard" in receipt && receipt.shard, shard);
    }
  }
});

test("shards are added with new ids, and drained and removed again", async () => {
  const bus = new EventBus(() => {}, { scaling: manual, batch: patient });
  assert.deepEqual(bus.scaleUp(2), [1, 2]);
  assert.deepEqual(states(bus), ["0 active", "1 active", "2 active"]);
  for (let i = 0; i < 100; i++) bus.ingest(i);
  const [going] = bus.scaleDown();
  assert.include(states(bus), `${going} draining`);
  await bus.flush();
  assert.lengthOf(states(bus), 2);
  assert.deepEqual(bus.scaleUp(), [3], "ids are never used again");
  assert.equal(accountedStats(bus).delivered, 100);
  await bus.close();
});

test("a draining shard's leftovers are delivered in order, without waiting", async () => {
  const calls = recorder();
  const bus = new EventBus(calls.callback, {
    scaling: { ...manual, minShards: 1 },
    shards: 2,
    batch: patient,
  });
  for (let i = 0; i < 100; i++) bus.ingest(i);
  const held = bus.stats().shards.map(({ pending }) => pending);
  const [going] = bus.scaleDown();
  const [call] = await calls.calls(1);
  assert.equal(call.batch.shard, going);
  assert.equal(call.batch.count, held[going]);
  const numbers = call.batch.events();
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
  assert.lengthOf(calls.log, 1, "the other shard's events still wait");
  await bus.close();
});

test("a key's later events wait for its earlier ones when it moves to another shard", async () => {
  const gate = deferred();
  /** @type {string[]} */
  const started = [];
  /** @type {string[]} */
  const delivered = [];
  /** @type {EventBus<string>} */
  const bus = new EventBus(
    async (batch) => {
      const texts = batch.events();
      started.push(...texts);
      if (texts.includes("old")) await gate.promise;
      delivered.push(...texts);
    },
    { scaling: manual, batch: { minSize: 1, maxDelayMs: 1 } },
  );
  const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);
  for (const key of keys) bus.ingest("old", { key });
  const before = keys.map((key) => bus.shardFor(key));
  bus.scaleUp(3);
  assert.notDeepEqual(
    keys.map((key) => bus.shardFor(key)),
    before,
    "some keys move",
  );
  for (const key of keys) bus.ingest("new", { key });
  const flushed = bus.flush();
  gate.resolve();
  await flushed;
  assert.deepEqual(delivered, started);
  assert.deepEqual(delivered, [...Array(50).fill("old"), ...Array(50).fill("new")]);
  await bus.close();
});

test("keys keep their order while shards come and go", async () => {
  const sink = recorder([hang]);
  const bus = new EventBus(sink.callback, {
    scaling: { ...manual, maxShards: 8 },
    key: (/** @type {any} */ event) => event.user,
    batch: { ...patient, maxSize: 5, minSize: 5 },
  });
  let n = 0;
  const produce = () => {
    for (let i = 0; i < 40; i++) bus.ingest({ user: `${n % 13}${n % 3 ? "ü" : ""}`, n: n++ });
  };
  produce();
  const flushed = bus.flush();
  const [call] = await sink.calls(1);
  bus.scaleUp(3);
  produce();
  bus.scaleDown(2);
  produce();
  bus.scaleUp(4);
  produce();
  call?.release();
  await flushed;
  await bus.close();
  /** @type {Map<string, number>} */
  const latest = new Map();
  for (const { user, n } of sink.delivered()) {
    assert.isAbove(n, latest.get(user) ?? -1, `an event of ${user} was overtaken`);
    latest.set(user, n);
  }
  assert.lengthOf(sink.delivered(), 160);
  assert.isAbove(new Set(sink.log.map(({ shard }) => shard)).size, 3);
});

test("an overload adds shards by itself", async () => {
  const calls = recorder([], hang);
  const bus = new EventBus(calls.callback, {
    capacity: 64,
    scaling: { minShards: 1, maxShards: 3, metricsWindowMs: 1, cooldownMs: 1 },
    batch: { minSize: 8, maxSize: 8 },
    onDrop: () => {},
  });
  for (let i = 0; i < 200 && states(bus).length === 1; i++) {
    for (let n = 0; n < 64; n++) bus.ingest(n);
    await idle();
  }
  assert.isAbove(states(bus).length, 1);
  await bus.close({ timeoutMs: 0 });
});

test("impossible scaling has an error that names the reason", async () => {
  const fixed = new EventBus(() => {});
  for (const change of [() => fixed.scaleUp(), () => fixed.scaleDown()]) {
    const error = thrown(change);
    assert.instanceOf(error, ScalingError);
    assert.deepEqual([error.code, error.reason], ["ERR_SCALING", "off"]);
  }
  const bus = new EventBus(() => {}, { scaling: manual });
  assert.equal(thrown(() => bus.scaleUp(4)).reason, "at-max-shards");
  assert.equal(thrown(() => bus.scaleDown()).reason, "at-min-shards");
  for (const count of [-1, 1.5, Number.NaN, 70_000, /** @type {any} */ ("1")]) {
    assert.instanceOf(
      thrown(() => bus.scaleUp(count)),
      InvalidOptionError,
    );
  }
  await bus.close();
  for (const use of [() => bus.scaleUp(), () => bus.scaleDown(), () => bus.shardFor("k")]) {
    assert.instanceOf(thrown(use), ClosedError);
  }
  await fixed.close();
});

/** The most that can be asked for. */
const MOST = 65_535;

test("any number from 0 to 65535 may be asked for, and one that is too many changes nothing", () => {
  const bus = new EventBus(() => {}, { scaling: manual });
  assert.deepEqual(bus.scaleUp(0), []);
  assert.equal(thrown(() => bus.scaleUp(MOST)).reason, "at-max-shards");
  assert.deepEqual(states(bus), ["0 active"]);
  assert.deepEqual(bus.scaleUp(3), [1, 2, 3], "ids are those of shards that were added");

  assert.deepEqual(bus.scaleDown(0), []);
  assert.lengthOf(bus.scaleDown(MOST), 3, "as many as may go");
  assert.equal(thrown(() => bus.scaleDown(MOST)).reason, "at-min-shards");
});

test("ids end before 65535, however many shards there may be", () => {
  const bus = new EventBus(() => {}, { scaling: { ...manual, maxShards: MOST } });
  assert.equal(thrown(() => bus.scaleUp(MOST)).reason, "at-max-shards");
  assert.equal(thrown(() => bus.scaleUp(MOST - 1)).reason, "at-max-shards");
  assert.deepEqual(states(bus), ["0 active"]);
});

test("a number that has more than 16 bits is refused by name", () => {
  const bus = new EventBus(() => {}, { scaling: manual });
  for (const change of /** @type {const} */ (["scaleUp", "scaleDown"])) {
    for (const count of [MOST + 1, MOST + 2, 2 ** 32, 2 ** 32 + 1]) {
      const error = thrown(() => bus[change](count));
      assert.include(error, { code: "ERR_INVALID_OPTION", option: "count" });
      assert.include(error.message, `${count}`);
      assert.include(error.message, `from 0 to ${MOST}`);
    }
  }
  assert.deepEqual(states(bus), ["0 active"]);
});

test("scaling options are checked, and name the option", () => {
  for (const [scaling, option] of /** @type {const} */ ([
    [{ minShards: 0 }, "scaling.minShards"],
    [{ minShards: 3, maxShards: 2 }, "scaling.maxShards"],
    [{ fillRatioThreshold: 1.5 }, "scaling.fillRatioThreshold"],
    [{ cooldownMs: 0 }, "scaling.cooldownMs"],
    [{ metricsWindowMs: 0 }, "scaling.metricsWindowMs"],
    [{ scaleDownDelayMs: 0 }, "scaling.scaleDownDelayMs"],
    [{ autoScale: /** @type {any} */ (1) }, "scaling.autoScale"],
  ])) {
    const error = thrown(() => new EventBus(() => {}, { scaling }));
    assert.instanceOf(error, InvalidOptionError);
    assert.equal(error.option, option);
    assert.include(error.message, `\`${option}\``);
  }
  assert.equal(
    thrown(() => new EventBus(() => {}, { shards: 9, scaling: { maxShards: 8 } })).option,
    "shards",
  );
  new EventBus(() => {}, { scaling: false });
});

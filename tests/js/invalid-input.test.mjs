import { EventBus, isShardbusError } from "shardbus";
import { accountedStats, assert, idle, test, thrown } from "./harness.mjs";

const bytes = (text) => new TextEncoder().encode(text);
const throwing = (error) => () => {
  throw error;
};
const boom = new Error("boom");

function cycle() {
  const event = { name: "loop" };
  event.self = event;
  return event;
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function transferred() {
  const payload = bytes("1");
  structuredClone(payload, { transfer: [payload.buffer] });
  return payload;
}

// Values that JSON cannot hold: the event, and its message.
const unserializable = {
  "a cycle": [cycle(), /written as JSON.*(circular|cyclic)/is],
  "a BigInt": [1n, /written as JSON.*BigInt/i],
  "a BigInt inside": [{ n: 1n }, /written as JSON.*BigInt/i],
  undefined: [undefined, /type undefined has no JSON form; pass an object/],
  "a function": [() => {}, /type function has no JSON form/],
  "a symbol": [Symbol("s"), /type symbol has no JSON form/],
  "a toJSON that returns undefined": [{ toJSON() {} }, /no JSON form/],
  "a toJSON that throws": [{ toJSON: throwing(boom) }, /written as JSON: boom/],
  "a getter that throws": [
    Object.defineProperty({}, "x", { get: throwing(boom), enumerable: true }),
  ],
  "something that throws no error": [{ toJSON: throwing("a string") }, /written as JSON: a string/],
  "something that throws undefined": [{ toJSON: throwing(undefined) }, /written as JSON/],
  "a revoked proxy": [revoked()],
  "something that throws a revoked proxy": [{ toJSON: throwing(revoked()) }, /cannot be shown/],
  "something that throws what has no text": [
    { toJSON: throwing(Object.create(null)) },
    /cannot be shown/,
  ],
};

// Values that are no keys.
const badKeys = {
  "a number": [5, /key must be a string.*number/],
  "an object": [{}, /key must be a string.*object/],
  "a symbol": [Symbol("s"), /key must be a string.*symbol/],
  "a BigInt": [5n, /key must be a string.*bigint/],
  "a boolean": [false, /key must be a string.*boolean/],
  "half of a surrogate pair": ["a\ud800b", /surrogate.*toWellFormed/],
};

// Payloads that cannot stand in a body.
const badPayloads = {
  "an empty text": ["", /must not be empty/],
  "no bytes": [new Uint8Array(0), /must not be empty/],
  "a newline": ['{"a":\n1}', /newline in format "ndjson"/],
  "a newline at the end": ['{"a":1}\n', /newline/],
  "a newline in bytes": [bytes('{"a":\n1}'), /newline/],
  "half of a surrogate pair": ['"\ud83d"', /surrogate.*toWellFormed/],
  "the other half": ['"\ude00"', /surrogate/],
  "a number": [5, /must be a string or a Uint8Array/],
  null: [null, /must be a string or a Uint8Array/],
  undefined: [undefined, /must be a string or a Uint8Array/],
  "an object": [{ a: 1 }, /must be a string or a Uint8Array/],
  "an ArrayBuffer": [bytes("1").buffer, /must be a string or a Uint8Array/],
  "wider numbers": [new Uint16Array([49]), /must be a string or a Uint8Array/],
  "an object that is called bytes": [
    { [Symbol.toStringTag]: "Uint8Array", length: 10 },
    /must be a string or a Uint8Array/,
  ],
  "bytes that were transferred": [transferred(), /must not be empty/],
  "a String object": [new String("1"), /must be a string or a Uint8Array/],
};

/** Makes one rejected call between two good ones, and checks the bus's whole state afterwards. */
async function assertRefused(offer, expected, options) {
  const drops = [];
  const received = [];
  const bus = new EventBus((batch) => received.push(...batch.events()), {
    shards: 2,
    onDrop: ({ reason, count }) => drops.push([reason, count]),
    ...options,
  });
  bus.ingest("before", { key: "k" });
  const error = thrown(() => offer(bus));
  assert.equal(error.name, expected.name);
  assert.equal(error.code, expected.code);
  assert.isTrue(isShardbusError(error));
  assert.instanceOf(error, Error);
  if (expected.message) assert.match(error.message, expected.message);
  assert.isTrue(bus.ingest("after", { key: "k" }));
  const { offered, rejected } = accountedStats(bus);
  assert.deepEqual([offered, rejected[expected.reason]], [3, 1]);
  await bus.close();
  assert.deepEqual(received, ["before", "after"]);
  assert.deepEqual(drops, [[expected.reason, 1]]);
  return error;
}

const invalid = (message) => ({
  name: "InvalidEventError",
  code: "ERR_INVALID_EVENT",
  reason: "invalid",
  message,
});

for (const [what, [event, message]] of Object.entries(unserializable)) {
  test(`an event that is ${what} is refused`, async () => {
    await assertRefused((bus) => bus.ingest(event), invalid(message));
  });
}

test("an event that cannot be serialised is a refusal like any other in a batch or receipt", () => {
  const bus = new EventBus(() => {}, { onDrop: () => {} });
  const events = Object.values(unserializable).map(([event]) => event);
  assert.deepEqual(bus.ingestBatch([1, ...events, 2]), { accepted: 2, rejected: events.length });
  for (const event of events) {
    assert.deepEqual(bus.ingestWithReceipt(event), { rejected: "invalid" });
  }
  assert.equal(accountedStats(bus).rejected.invalid, 2 * events.length);
});

test("a batch of events that is no iterable is refused, and counts as none", () => {
  const bus = new EventBus(() => {});
  for (const events of [undefined, null, 5, {}, { length: 1, 0: "x" }]) {
    const error = thrown(() => bus.ingestBatch(events));
    assert.equal(error.code, "ERR_INVALID_EVENT");
    assert.match(error.message, /iterable/);
  }
  assert.equal(accountedStats(bus).offered, 0);
});

test("bytes keep their true length, whatever their properties say", async () => {
  const received = [];
  const bus = new EventBus((batch) => received.push(...batch.events()));
  for (const length of [0, -1, 1000, 1e9, "2", Symbol("s")]) {
    bus.ingestRaw(Object.defineProperty(bytes("12"), "length", { value: length }));
  }
  await bus.close();
  assert.deepEqual(received, Array(6).fill(12));
});

test("an error of an event's own code is the cause of its rejection", async () => {
  const toJSON = throwing(boom);
  const error = await assertRefused((bus) => bus.ingest({ toJSON }), invalid());
  assert.strictEqual(error.cause, boom);
});

test("values that JSON leaves out or escapes are no reason for a rejection", async () => {
  const received = [];
  const bus = new EventBus((batch) => received.push(...batch.events()));
  bus.ingest({ a: undefined, b: () => {}, c: Number.NaN, lone: "\ud800", "\udc00": 1 });
  await bus.close();
  assert.deepEqual(received, [{ c: null, lone: "\ud800", "\udc00": 1 }]);
});

for (const [what, [key, message]] of Object.entries(badKeys)) {
  test(`a key that is ${what} is refused`, async () => {
    const raw = bytes("1");
    await assertRefused((bus) => bus.ingest(1), invalid(message), {
      key: (e) => (e === 1 ? key : "k"),
    });
    await assertRefused((bus) => bus.ingest(1, { key }), invalid(message));
    await assertRefused((bus) => bus.ingestRaw("1", { key }), invalid(message));
    await assertRefused((bus) => bus.ingestRaw(raw, { key }), invalid(message));
    const bus = new EventBus(() => {}, { shards: 2, onDrop: () => {} });
    assert.deepEqual(bus.ingestWithReceipt(1, { key }), { rejected: "invalid" });
    assert.deepEqual(bus.ingestBatch([1], { key }), { accepted: 0, rejected: 1 });
  });
}

test("a key function that throws refuses the event, and the message blames the key", async () => {
  const key = (event) => (event === 1 ? event.user.id : "k");
  const error = await assertRefused((bus) => bus.ingest(1), invalid(/key/), { key });
  assert.instanceOf(error.cause, TypeError);
  assert.notMatch(error.message, /JSON/);
});

for (const [what, [payload, message]] of Object.entries(badPayloads)) {
  test(`a raw event that is ${what} is refused`, async () => {
    await assertRefused((bus) => bus.ingestRaw(payload), invalid(message));
  });
}

test("format json refuses nothing but an empty raw event", async () => {
  await assertRefused((bus) => bus.ingestRaw(""), invalid(/must not be empty/), { format: "json" });
  const empty = new Uint8Array(0);
  await assertRefused((bus) => bus.ingestRaw(empty), invalid(/must not be empty/), {
    format: "json",
  });
});

// Each with the largest payload of a hundred bytes that is accepted, and one that is not.
const sizes = {
  "an event": [(bus, n) => bus.ingest("x".repeat(n)), 98],
  "an event that is not ASCII": [(bus, n) => bus.ingest("é".repeat(n)), 49],
  "an event of wide characters": [(bus, n) => bus.ingest("€".repeat(n)), 32],
  "a raw text": [(bus, n) => bus.ingestRaw(`"${"x".repeat(n)}"`), 98],
  "a raw text that is not ASCII": [(bus, n) => bus.ingestRaw(`"${"é".repeat(n)}"`), 49],
  "a raw text of pairs": [(bus, n) => bus.ingestRaw(`"${"😀".repeat(n)}"`), 24],
  "raw bytes": [(bus, n) => bus.ingestRaw(bytes(`"${"x".repeat(n)}"`)), 98],
};

for (const [what, [offer, most]] of Object.entries(sizes)) {
  test(`${what} may have maxEventBytes bytes, and no more`, async () => {
    const options = { maxEventBytes: 100 };
    assert.isTrue(offer(new EventBus(() => {}, options), most));
    const expected = {
      name: "EventTooLargeError",
      code: "ERR_EVENT_TOO_LARGE",
      reason: "oversize",
      message: /more than 100 bytes.*maxEventBytes/,
    };
    for (const n of [most + 1, 1000, 1_000_000]) {
      const error = await assertRefused((bus) => offer(bus, n), expected, options);
      assert.include(error, { option: "maxEventBytes", limit: 100 });
    }
  });
}

test("an event over 100 bytes is a refusal like any other in a batch or receipt", () => {
  const bus = new EventBus(() => {}, { maxEventBytes: 100, onDrop: () => {} });
  const large = "x".repeat(99);
  assert.deepEqual(bus.ingestBatch([large, 1]), { accepted: 1, rejected: 1 });
  assert.deepEqual(bus.ingestWithReceipt(large), { rejected: "oversize" });
  assert.equal(accountedStats(bus).rejected.oversize, 2);
});

test("isShardbusError recognises this package's errors from any copy, and nothing else", () => {
  const error = thrown(() => new EventBus(undefined));
  assert.isTrue(isShardbusError(error));
  for (const other of [
    undefined,
    null,
    5,
    "ERR_CLOSED",
    {},
    new Error("x"),
    { code: "ERR_CLOSED" },
  ]) {
    assert.isFalse(isShardbusError(other));
  }
});

test("many refusals in one turn are one report a reason", async () => {
  const drops = [];
  const bus = new EventBus(() => {}, { maxEventBytes: 10, onDrop: (drop) => drops.push(drop) });
  bus.ingestBatch([undefined, "x".repeat(99), 1n, 1, cycle()]);
  await idle();
  const told = drops.map(({ reason, count, error }) => [reason, count, error.code]);
  assert.sameDeepMembers(told, [
    ["invalid", 3, "ERR_INVALID_EVENT"],
    ["oversize", 1, "ERR_EVENT_TOO_LARGE"],
  ]);
});

// Second arguments that would not go along with the event, and the option and message of each error.
const strays = {
  "a part of the event": [{ x: 1 }, "x", /`x` is not an option of an event.*first argument/],
  "another name for the key": [{ Key: "k" }, "Key", /there is key/],
  "an index, as `forEach` passes": [0, "options", /second argument is 0.*=> bus\.emit/],
  "a text": ["k", "options", /second argument is "k"/],
  "a list": [["k"], "options", /second argument is an array/],
};

for (const [what, [second, option, message]] of Object.entries(strays)) {
  test(`a second argument that is ${what} is refused`, async () => {
    for (const offer of [
      (bus) => bus.ingest("click", second),
      (bus) => bus.ingestRaw("1", second),
      (bus) => bus.ingestRaw(bytes("1"), second),
    ]) {
      const error = await assertRefused(offer, {
        name: "InvalidOptionError",
        code: "ERR_INVALID_OPTION",
        reason: "invalid",
        message,
      });
      assert.equal(error.option, option);
    }
    const drops = [];
    const bus = new EventBus(() => {}, { onDrop: (drop) => drops.push(drop) });
    assert.match(thrown(() => bus.ingestBatch([1], second)).message, message);
    bus.emit("click", second);
    assert.deepEqual(bus.ingestWithReceipt("click", second), { rejected: "invalid" });
    await idle();
    assert.include(drops[0], { reason: "invalid", count: 2 });
    assert.match(drops[0].error.message, message);
  });
}

test("no options are no options", () => {
  const bus = new EventBus(() => {});
  for (const none of [undefined, null, {}, { key: undefined }]) {
    assert.isTrue(bus.ingest(1, none));
  }
});

for (const method of ["ingest", "ingestRaw", "ingestBatch", "ingestWithReceipt"]) {
  test(`${method} without its bus, or through a proxy, throws an error with the remedy`, () => {
    const bus = new EventBus(() => {});
    const { [method]: unbound } = bus;
    for (const call of [
      () => unbound("1"),
      () => unbound.call({}, "1"),
      () => unbound.call(null, "1"),
      () => new Proxy(bus, {})[method]("1"),
    ]) {
      const error = thrown(call);
      assert.include(error, { code: "ERR_INVALID_OPTION", option: "this" });
      assert.match(error.message, /=> bus\.ingest\(event\).*bus\.emit.*markRaw/);
    }
  });
}

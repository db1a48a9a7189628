// @ts-check
// For any event, a call works or throws an error of this package that names the defect; and only
// that event is affected.
import fc from "fast-check";
import { EventBus } from "shardbus";
import {
  byteLike,
  check,
  keys,
  made,
  texts,
  throwables,
  throwing,
  tried,
  values,
} from "./arbitraries.mjs";
import { accountedStats, assert, test, within } from "./harness.mjs";

const encoder = new TextEncoder();

/** Options of a call: mostly as they should be. */
const callOptions = fc.oneof(
  { weight: 3, arbitrary: made(fc.constant(undefined)) },
  { weight: 3, arbitrary: keys.map((key) => () => ({ key: key() })) },
  { weight: 1, arbitrary: values },
);

/**
 * Every way to offer an event. Returns how many events were offered.
 *
 * @type {((bus: EventBus<any>, event: any, options: any) => number)[]}
 */
const offers = [
  (bus, event, options) => {
    assert.include(
      [true, false, undefined],
      tried(() => bus.ingest(event, options)),
    );
    return 1;
  },
  (bus, event, options) => {
    const result = tried(() => bus.ingestBatch([event, event], options));
    // Options that are none make it throw.
    if (result === undefined) return 0;
    assert.equal(result.accepted + result.rejected, 2);
    return 2;
  },
  (bus, event, options) => {
    assert.isDefined(
      tried(() => bus.ingestWithReceipt(event, options)),
      "it is not thrown",
    );
    return 1;
  },
  (bus, event, options) => {
    assert.include(
      [true, false, undefined],
      tried(() => bus.ingestRaw(event, options)),
    );
    return 1;
  },
];

const GOOD = { good: "event" };

/**
 * Asserts that a good event is accepted and delivered, and every event accounted for.
 *
 * @param {EventBus<any>} bus
 * @param {string[]} received the bodies that were delivered
 */
async function assertWorks(bus, received) {
  assert.isTrue(bus.ingest(GOOD, { key: "good" }));
  accountedStats(bus);
  await within(bus.close(), () => "the bus does not close");
  const { pending, inFlight } = accountedStats(bus);
  assert.deepEqual([pending, inFlight], [0, 0]);
  assert.include(received.join("\n"), JSON.stringify(GOOD));
}

/** @type {fc.Arbitrary<import("shardbus").EventBusOptions<any>>} */
const busOptions = fc.record({
  shards: fc.constantFrom(1, 3),
  format: fc.constantFrom("ndjson", "json"),
  scheduler: fc.constantFrom("auto", "manual"),
  maxEventBytes: fc.constantFrom(50, 5000),
});

/** A bus and the bodies that it delivers. @param {object} options */
function receivingBus(options) {
  /** @type {string[]} */
  const received = [];
  /** @type {EventBus<any>} */
  const bus = new EventBus(({ body }) => void received.push(new TextDecoder().decode(body)), {
    onDrop: () => {},
    ...options,
  });
  return { bus, received };
}

test("any value is accepted or refused, and the bus goes on", async () => {
  const property = fc.asyncProperty(
    busOptions,
    fc.array(fc.tuple(fc.constantFrom(...offers), values, callOptions), { maxLength: 8 }),
    async (options, calls) => {
      const { bus, received } = receivingBus(options);
      let offered = 0;
      for (const [offer, event, eventOptions] of calls) {
        offered += offer(bus, event(), eventOptions());
        assert.equal(accountedStats(bus).offered, offered);
      }
      await assertWorks(bus, received);
    },
  );
  await check(property, 500);
});

/** Keys that read alike share a list of their values. @param {Map<unknown, unknown>} map */
function byName(map) {
  const entries = [...map].map(([key, value]) => /** @type {const} */ ([String(key), value]));
  const valuesOf = (/** @type {string} */ name) =>
    entries.filter(([other]) => other === name).map(([, value]) => value);
  const forms = entries.map(([name]) => {
    const values = valuesOf(name);
    return [name, values.length === 1 ? values[0] : values];
  });
  return Object.fromEntries(forms);
}

/** JSON forms for values without one. @param {string} _ @param {any} value */
function written(_, value) {
  try {
    if (value instanceof Map) return byName(value);
    if (value instanceof Set) return [...value];
    if (!(value instanceof Error)) return value;
  } catch {
    return value;
  }
  const { name, message, stack } = value;
  return Object.assign({ name, message, stack }, value);
}

/** Tells whether the stack was too small. Other errors may be anything. @param {unknown} error */
function isOverflow(error) {
  try {
    return error instanceof RangeError;
  } catch {
    return false;
  }
}

test("a value that is accepted arrives as JSON.stringify has it, with errors and collections", async () => {
  const property = fc.asyncProperty(values, async (make) => {
    const { bus, received } = receivingBus({});
    const value = make();
    const isAccepted = tried(() => bus.ingest(value)) ?? false;
    await bus.close();
    let expected;
    try {
      expected = JSON.stringify(value, written);
    } catch (error) {
      // With a replacer it takes more of the stack than the bus did.
      if (isAccepted && isOverflow(error)) return;
    }
    assert.deepEqual(received, isAccepted ? [expected] : []);
  });
  await check(property, 500);
});

test("any key function is right, or refuses the event", async () => {
  const property = fc.asyncProperty(
    fc.oneof(keys, throwables.map(throwing)),
    async (returnOrThrow) => {
      let isGood = false;
      const key = () => (isGood ? "good" : returnOrThrow());
      const { bus, received } = receivingBus({ shards: 2, key });
      for (const offer of offers.slice(0, 3)) offer(bus, "event", undefined);
      isGood = true;
      await assertWorks(bus, received);
    },
  );
  await check(property, 300);
});

test("any raw payload is refused, or arrives byte for byte", async () => {
  const property = fc.asyncProperty(
    busOptions,
    fc.array(fc.oneof(made(texts), byteLike), { minLength: 1, maxLength: 6 }),
    async (options, payloads) => {
      const { bus, received } = receivingBus(options);
      for (const make of payloads) {
        const payload = make();
        const isAccepted = tried(() => bus.ingestRaw(payload)) ?? false;
        accountedStats(bus);
        const bodies = bus.drain().map(({ body }) => body);
        assert.lengthOf(bodies, isAccepted ? 1 : 0);
        for (const body of bodies) {
          const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
          const brackets = options.format === "json" ? 1 : 0;
          assert.deepEqual(
            [...body.subarray(brackets, body.length - brackets)],
            [...new Uint8Array(bytes)],
          );
        }
      }
      await assertWorks(bus, received);
    },
  );
  await check(property, 500);
});

// @ts-check
// The batches in a store are safe from everybody without the key.
import { EventBus } from "shardbus";
import { sealedStore } from "shardbus/stores/sealed";
import {
  assert,
  HOUR_MS,
  hang,
  quickRetry,
  recorder,
  rejection,
  test,
  thrown,
} from "./harness.mjs";
import { MemoryStore } from "./memory-store.mjs";

const { subtle } = crypto;
const makeKey = () =>
  subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);

/**
 * A store with a batch of a bus that could not send it.
 *
 * @param {CryptoKey | CryptoKey[]} keys
 */
async function left(keys) {
  const inner = new MemoryStore();
  const sink = recorder([], hang);
  const bus = new EventBus(sink.callback, { store: sealedStore(inner, keys) });
  bus.ingest({ secret: "very" });
  void bus.flush();
  const [{ batch } = assert.fail("there is a call")] = await sink.calls(1);
  await bus.close({ timeoutMs: 1 });
  const [entry = assert.fail("the store has a batch")] = inner.batches;
  return { inner, id: batch.id, name: entry[0], sealed: entry[1] };
}

/**
 * The events that a bus sends from the store, and its reports.
 *
 * @param {MemoryStore} inner
 * @param {CryptoKey | CryptoKey[]} keys
 */
async function sentFrom(inner, keys) {
  /** @type {{ id: string, events: unknown[] }[]} */
  const sent = [];
  /** @type {string[]} */
  const errors = [];
  const bus = new EventBus((batch) => void sent.push({ id: batch.id, events: batch.events() }), {
    store: sealedStore(inner, keys),
    retry: quickRetry,
    batch: { maxDelayMs: HOUR_MS },
    onStoreError: ({ message }) => errors.push(message),
  });
  bus.ingest("own");
  await bus.flush();
  await bus.close();
  return { sent: sent.filter(({ events }) => events[0] !== "own"), errors, all: sent };
}

test("a batch comes back as it was, and cannot be read in the store", async () => {
  const key = await makeKey();
  const { inner, id, sealed } = await left(key);
  const text = new TextDecoder("latin1").decode(sealed);
  for (const part of ["secret", "very", "shardbus"]) assert.notInclude(text, part);
  const { sent, errors } = await sentFrom(inner, key);
  assert.deepEqual(sent, [{ id, events: [{ secret: "very" }] }]);
  assert.deepEqual(errors, []);
  assert.equal(inner.batches.size, 0);
});

test("batches that others changed, moved or made are not sent, and reported", async () => {
  const key = await makeKey();
  const { inner, name, sealed } = await left(key);
  const plain = new MemoryStore();
  const bus = new EventBus(recorder([], hang).callback, { store: plain });
  bus.ingest("forged");
  bus.saveSync();
  await bus.close({ timeoutMs: 1 });
  const [forged = assert.fail("there is one")] = plain.batches.values();

  const flipped = sealed.slice();
  flipped[20] = (flipped[20] ?? 0) ^ 1;
  const older = `0${name.slice(1, -1)}9`;
  for (const [at, bytes] of /** @type {[string, Uint8Array][]} */ ([
    [name, flipped],
    [name, sealed.subarray(0, sealed.length - 1)],
    [name, new Uint8Array(0)],
    [name, forged],
    [older, sealed],
  ])) {
    inner.batches.clear();
    inner.batches.set(at, bytes);
    const { sent, errors, all } = await sentFrom(inner, key);
    assert.deepEqual(sent, []);
    assert.lengthOf(all, 1, "the bus's own events leave");
    assert.lengthOf(errors, 1);
    assert.match(errors[0] ?? "", /No key that was given has sealed it/);
    assert.isTrue(inner.batches.has(at), "it is left for whoever has the key");
  }
});

test("keys can be changed: the first seals, and all open", async () => {
  const [old, current] = [await makeKey(), await makeKey()];
  const { inner, id } = await left(old);
  assert.deepEqual((await sentFrom(inner, current)).sent, []);
  assert.deepEqual(
    (await sentFrom(inner, [current, old])).sent.map((it) => it.id),
    [id],
  );
  const { inner: next } = await left([current, old]);
  assert.lengthOf((await sentFrom(next, old)).sent, 0);
  assert.lengthOf((await sentFrom(next, current)).sent, 1);
});

test("the same batch is sealed differently each time", async () => {
  const [inner, key] = [new MemoryStore(), await makeKey()];
  const store = sealedStore(inner, key);
  await store.write("a", new Uint8Array(100));
  const first = inner.batches.get("a");
  await store.write("a", new Uint8Array(100));
  assert.notDeepEqual(inner.batches.get("a"), first);
  assert.deepEqual(await store.read("a"), new Uint8Array(100));
  assert.equal(await store.read("b"), undefined);
  assert.include(
    (await rejection(sealedStore(inner, await makeKey()).read("a"))).message,
    "sealed",
  );
});

test("only keys that can do it are taken", async () => {
  const hmac = await subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const half = await subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  for (const keys of [undefined, null, "secret", new Uint8Array(32), [], hmac, half, [half]]) {
    const error = thrown(() => sealedStore(new MemoryStore(), /** @type {any} */ (keys)));
    assert.include(error, { code: "ERR_INVALID_OPTION", option: "keys" });
  }
});

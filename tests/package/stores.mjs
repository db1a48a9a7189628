// @ts-check
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidOptionError } from "shardbus";
import { observeBus } from "shardbus/otel";
import { installShutdownHooks } from "shardbus/shutdown";
import { customStore } from "shardbus/stores/custom";
import { fileStore } from "shardbus/stores/fs";
import { indexedDbStore } from "shardbus/stores/indexeddb";
import { sealedStore } from "shardbus/stores/sealed";

const directory = await mkdtemp(join(tmpdir(), "shardbus-package-"));
const store = fileStore({ directory });
assert.deepEqual(await store.open(), []);
await store.write("a-1", new Uint8Array([1, 2, 3]));
assert.deepEqual(await store.read("a-1"), new Uint8Array([1, 2, 3]));
await store.close?.();

const usages = /** @type {KeyUsage[]} */ (["encrypt", "decrypt"]);
const key = await crypto.subtle.importKey("raw", new Uint8Array(32), "AES-GCM", false, usages);
const sealed = sealedStore(fileStore({ directory }), key);
await sealed.open();
await sealed.write("a-2", new Uint8Array([1, 2, 3]));
assert.deepEqual(await sealed.read("a-2"), new Uint8Array([1, 2, 3]));
await sealed.close?.();
await rm(directory, { recursive: true });

// As where a page is rendered on a server: it can be made there, but not used.
await assert.rejects(indexedDbStore().open(), /no IndexedDB here/);
// The stores share their errors with the bus.
assert.throws(() => fileStore(""), InvalidOptionError);

installShutdownHooks({ close: async () => {} })();
assert.equal(typeof observeBus, "function");
assert.equal(typeof customStore, "function");

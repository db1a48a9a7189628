// @ts-check
const assert = require("node:assert/strict");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { observeBus } = require("shardbus/otel");
const { installShutdownHooks } = require("shardbus/shutdown");
const { customStore } = require("shardbus/stores/custom");
const { fileStore } = require("shardbus/stores/fs");
const { indexedDbStore } = require("shardbus/stores/indexeddb");
const { sealedStore } = require("shardbus/stores/sealed");

const directory = mkdtempSync(join(tmpdir(), "shardbus-package-"));
const store = fileStore({ directory });
store
  .open()
  .then((keys) => assert.deepEqual(keys, []))
  .then(() => store.close?.())
  .then(() => rmSync(directory, { recursive: true }));

assert.rejects(indexedDbStore().open(), /no IndexedDB here/);
installShutdownHooks({ close: async () => {} })();
assert.equal(typeof observeBus, "function");
assert.equal(typeof sealedStore, "function");
assert.equal(typeof customStore, "function");

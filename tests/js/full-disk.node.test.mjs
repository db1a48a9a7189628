// @ts-check
// A file store on a disk that is really full: a file system of its own, in memory. Node on Linux
// only, for root, who may mount one.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { skips } from "../skips.mjs";
import {
  accountedStats,
  afterEach,
  assert,
  beforeEach,
  describe,
  it,
  rejection,
} from "./harness.mjs";

const whyNotMounted = canMount() ? false : skips.noMount;

/** @param {string} directory @param {string} size */
function mount(directory, size) {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", directory], {
    stdio: "pipe",
  });
}

function canMount() {
  const directory = mkdtempSync(join(tmpdir(), "shardbus-disk-"));
  try {
    mount(directory, "64k");
    execFileSync("umount", [directory]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(directory);
  }
}

describe("on a full disk", { skip: whyNotMounted }, () => {
  /** @type {string} */
  let disk;

  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), "shardbus-disk-"));
    mount(disk, "1m");
    writeFileSync(join(disk, "filler"), new Uint8Array(900 << 10));
  });

  afterEach(() => {
    execFileSync("umount", [disk]);
    rmdirSync(disk);
  });

  /** A bus that is to keep 300 KiB of events. @param {import("shardbus").StoreError[]} told */
  function started(told) {
    const store = fileStore(join(disk, "outbox"));
    const options = { store, onStoreError: (/** @type {any} */ error) => told.push(error) };
    const bus = new EventBus(() => Promise.reject(new Error("nobody is there")), options);
    for (let n = 0; n < 300; n++) bus.ingest({ n, text: ".".repeat(1000) });
    return bus;
  }

  /** @param {import("shardbus").StoreError} error */
  const codeOf = ({ cause }) => /** @type {any} */ (cause).code;

  it("saveSync() is false until everything is written", async () => {
    /** @type {import("shardbus").StoreError[]} */
    const told = [];
    const bus = started(told);
    assert.isFalse(bus.saveSync());
    assert.includeMembers(told.map(codeOf), ["ENOSPC"]);
    assert.strictEqual(accountedStats(bus).inFlight, 300, "they are still in memory");
    unlinkSync(join(disk, "filler"));
    assert.isTrue(bus.saveSync());
    await bus.close({ timeoutMs: 0 });
    const numbers = new Set();
    const next = new EventBus(
      async (batch) => {
        for (const { n } of /** @type {{ n: number }[]} */ (batch.events())) numbers.add(n);
      },
      { store: fileStore(join(disk, "outbox")) },
    );
    await next.flush();
    await next.close();
    assert.strictEqual(numbers.size, 300);
  });

  it("persisted() rejects, and the events stay in memory", async () => {
    /** @type {import("shardbus").StoreError[]} */
    const told = [];
    const bus = started(told);
    const error = await rejection(bus.persisted());
    assert.strictEqual(error.code, "ERR_STORE");
    assert.strictEqual(accountedStats(bus).inFlight, 300);
    unlinkSync(join(disk, "filler"));
    await bus.persisted();
    await bus.close({ timeoutMs: 0 });
    assert.strictEqual(accountedStats(bus).drained, 300);
  });
});

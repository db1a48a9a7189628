// @ts-check

// A store for batches in the storage of a Durable Object.
import { customStore } from "shardbus/stores/custom";

/**
 * The used part of `ctx.storage`, which the storage with SQLite and the older one both have.
 *
 * @typedef {object} Storage
 * @property {(keys: string[]) => Promise<Map<string, any>>} get
 * @property {(options: { prefix: string, startAfter?: string, limit?: number }) => Promise<Map<string, any>>} list
 * @property {(entries: { [key: string]: unknown }) => Promise<void>} put
 * @property {(keys: string[]) => Promise<number>} delete
 * @property {() => Promise<void>} sync
 */

/** The older storage takes values of up to 128 KiB, so a batch is kept in chunks. */
const CHUNK_BYTES = 100_000;
/** One call takes no more keys: a batch may have 12.8 MB. */
const MOST_CHUNKS = 128;
/** The number of chunks in memory while keys are listed. */
const PAGE = 32;

/**
 * Keeps batches in the storage of a Durable Object, under keys that begin with `outbox/`; those that
 * cannot be read are moved to `corrupt/`. An object is the only one with access to its storage, so no
 * lock is needed.
 *
 * @param {Storage} storage `ctx.storage`
 * @returns {import("shardbus").BatchStore}
 */
export function durableObjectStore(storage) {
  /** @param {string} key @param {number} chunk */
  const nameOf = (key, chunk) => `outbox/${key}/${String(chunk).padStart(3, "0")}`;

  /** Everything that is there of a batch. @param {string} key */
  const chunksOf = (key) => storage.list({ prefix: `outbox/${key}/` });

  return customStore({
    async open() {
      const keys = [];
      let startAfter = "outbox/";
      for (;;) {
        const page = [
          ...(await storage.list({ prefix: "outbox/", startAfter, limit: PAGE })).keys(),
        ];
        for (const name of page) {
          if (name.endsWith("/000")) keys.push(name.slice("outbox/".length, -"/000".length));
        }
        const last = page.at(-1);
        if (last === undefined) return keys;
        startAfter = last;
      }
    },

    async read(key) {
      const first = (await storage.get([nameOf(key, 0)])).get(nameOf(key, 0));
      if (first === undefined) return undefined;
      const names = Array.from({ length: first.chunks }, (_, chunk) => nameOf(key, chunk));
      const chunks = await storage.get(names);
      const bytes = new Uint8Array(first.size);
      names.forEach((name, i) => {
        bytes.set(chunks.get(name)?.bytes ?? [], i * CHUNK_BYTES);
      });
      return bytes;
    },

    async write(key, bytes) {
      const chunks = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
      if (chunks > MOST_CHUNKS) throw new Error(`${key} is too large: ${bytes.length} bytes`);
      /** @type {{ [name: string]: unknown }} */
      const entries = {};
      for (let chunk = 0; chunk < chunks; chunk++) {
        const from = chunk * CHUNK_BYTES;
        const part = { bytes: bytes.slice(from, from + CHUNK_BYTES) };
        // Chunks that remain of a longer value before it are ignored: the first chunk has their
        // number.
        entries[nameOf(key, chunk)] = chunk === 0 ? { ...part, chunks, size: bytes.length } : part;
      }
      // All of it is written, or nothing.
      await storage.put(entries);
      await storage.sync();
    },

    async remove(key) {
      await storage.delete([...(await chunksOf(key)).keys()]);
    },

    async setAside(key) {
      const chunks = await chunksOf(key);
      /** @type {{ [name: string]: unknown }} */
      const aside = {};
      for (const [name, value] of chunks) aside[name.replace("outbox/", "corrupt/")] = value;
      // Without an `await` in between, they are done together.
      await Promise.all([storage.put(aside), storage.delete([...chunks.keys()])]);
    },
  });
}

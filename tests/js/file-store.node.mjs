// @ts-check
// The common part of the file store's tests. Node only.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileStore } from "shardbus/stores/fs";
import { within } from "./harness.mjs";

/** @param {string} text */
export const bytes = (text) => new TextEncoder().encode(text);

/**
 * A store that was opened, and its keys.
 *
 * @param {string} directory
 */
export async function openStore(directory) {
  const store = fileStore({ directory });
  /** @type {string[]} */
  const later = [];
  let more = () => {};
  const keys = await store.open((found) => {
    later.push(...found);
    more();
  });
  /** @param {number} count */
  const has = async (count) => {
    while (later.length < count) {
      await new Promise((resolve) => {
        more = () => resolve(undefined);
      });
    }
    return later.sort();
  };
  return {
    store,
    keys: keys.sort(),
    /** Waits until it has found so many more. @param {number} count */
    foundLater: (count) =>
      within(has(count), () => `of ${count} batches, it found ${later}`, 15_000),
    close: async () => store.close?.(),
  };
}

/**
 * The names of all files under a directory, without those of locks, with those of lives in one form.
 *
 * @param {string} directory
 * @returns {Promise<string[]>}
 */
export async function filesUnder(directory) {
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.map(async (entry) => {
    if (entry.name === "lock") return [];
    if (!entry.isDirectory()) return [entry.name];
    const inside = await filesUnder(join(directory, entry.name));
    return inside.map((file) => `${entry.name.replace(/^v1-[0-9a-f]{16}$/, "life")}/${file}`);
  });
  return (await Promise.all(files)).flat().sort();
}

/**
 * A program that opens a store in a directory, writes a batch, and lives on.
 *
 * @param {string} directory
 * @param {string} key
 */
export const holder = (directory, key) => `
  import { fileStore } from "shardbus/stores/fs";
  const store = fileStore(${JSON.stringify(directory)});
  await store.open();
  await store.write(${JSON.stringify(key)}, new TextEncoder().encode(${JSON.stringify(`text of ${key}`)}));
  console.log("open");
  setInterval(() => {}, 1000);
`;

// @ts-check

import { readdir } from "node:fs/promises";

const suite = new URL("../../js/", import.meta.url);

async function files() {
  const names = await readdir(suite);
  return names.filter((name) => name.endsWith(".test.mjs")).map((name) => `tests/js/${name}`);
}

/** The test files that are the same in every runtime, by their paths in the repository. */
export async function portableTests() {
  return (await files()).filter((file) => !file.endsWith(".node.test.mjs"));
}

/** Those that need Node's own modules. */
export async function nodeTests() {
  return (await files()).filter((file) => file.endsWith(".node.test.mjs"));
}

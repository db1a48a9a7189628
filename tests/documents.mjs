// @ts-check
// The programs in the repository's documents. The words after a block's language say how it is
// tested: `fragment` is a part of a program, `in FILE` names the test that runs it, and a block
// without such words is a program that runs in Node.
import { readdir, readFile } from "node:fs/promises";

const root = new URL("../", import.meta.url);

/** Languages of programs. */
const PROGRAMS = ["js", "jsx", "ts", "tsx", "mjs", "html", "vue", "svelte", "rust"];

/**
 * A block of code: `how` are the words after its language, and `line` is that of its first line.
 *
 * @typedef {{ language: string, how: string, code: string, line: number }} Block
 */

/** The Markdown files of the documentation's pages, by their paths in the repository. */
export async function pages() {
  const entries = await readdir(new URL("docs/", root), { recursive: true });
  const own = entries.filter(
    (entry) => entry.endsWith(".md") && !/node_modules|^api\//.test(entry),
  );
  return own.map((entry) => `docs/${entry.replaceAll("\\", "/")}`).sort();
}

/** The programs of a document, and their parts. @param {string} document @returns {Promise<Block[]>} */
export async function programs(document) {
  const text = await readFile(new URL(document, root), "utf8");
  const blocks = text.matchAll(/^```(\w+)[ \t]*(.*)\n([\s\S]*?)^```$/gm);
  const all = Array.from(blocks, ({ index, 1: language = "", 2: how = "", 3: code = "" }) => {
    return { language, how, code, line: text.slice(0, index).split("\n").length + 1 };
  });
  return all.filter(({ language }) => PROGRAMS.includes(language));
}

/** The first program of a document that has a text. @param {string} document @param {string} text */
export async function program(document, text) {
  const found = (await programs(document)).find(({ code }) => code.includes(text));
  if (!found) throw new Error(`${document} has no program with ${text}`);
  return found.code;
}

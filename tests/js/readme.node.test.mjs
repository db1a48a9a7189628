// @ts-check
import { access, readFile } from "node:fs/promises";
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

test("the README's example runs, and prints the output shown", async () => {
  const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const output = await run(example);
  assert.include(output, '{"type":"view","page":"/pricing"}');
  const [, report] = /console\.log\(await bus\.close\(\)\); \/\/ (\{.*\})/.exec(example) ?? [];
  assert.include(output.replaceAll(/\s+/g, " "), report);
});

const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "RELEASING.md",
  "SECURITY.md",
  "benches/README.md",
];

const root = new URL("../../", import.meta.url);

/**
 * The files that a document names: targets of its links, and code that begins with a folder of the
 * repository.
 */
async function filesIn(/** @type {string} */ document) {
  const place = new URL(document, root);
  const prose = (await readFile(place, "utf8")).replaceAll(/```.*?```/gs, "");
  const links = prose.matchAll(/\]\((?!https?:|#)([^)#]+)/g);
  const code = prose.matchAll(
    /`((?:src|wasm|pkg-js|tests|fuzz|examples|benches|xtask|\.github|\.ci)\/[^`*\s]*)`/g,
  );
  return [
    ...Array.from(links, ([, path = ""]) => new URL(path, place)),
    ...Array.from(code, ([, path = ""]) => new URL(path, root)),
  ];
}

for (const document of documents) {
  test(`every file that ${document} names exists`, async () => {
    /** @type {string[]} */
    const missing = [];
    for (const file of await filesIn(document)) {
      await access(file).catch(() => missing.push(file.href));
    }
    assert.deepEqual(missing, []);
  });
}

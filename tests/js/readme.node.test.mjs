// @ts-check
import { access, readdir, readFile } from "node:fs/promises";
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

const root = new URL("../../", import.meta.url);

const examples = await readdir(new URL("examples/", root));

const documents = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "RELEASING.md",
  "SECURITY.md",
  "benches/README.md",
  "pkg-js/README.md",
  ...examples.map((example) => `examples/${example}/README.md`),
];

/** Documents that name no files. */
const withoutFiles = ["CHANGELOG.md", "examples/flights/README.md"];

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
    const files = await filesIn(document);
    if (!withoutFiles.includes(document)) assert.isNotEmpty(files);
    for (const file of files) {
      await access(file).catch(() => missing.push(file.href));
    }
    assert.deepEqual(missing, []);
  });
}

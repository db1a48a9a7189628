// @ts-check
import { access, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pages, programs } from "../documents.mjs";
import { serve } from "../loopback.mjs";
import { run } from "./child.node.mjs";
import { after, assert, before, test } from "./harness.mjs";

const root = new URL("../../", import.meta.url);
const GITHUB = "https://github.com/shardbus/shardbus/";

const examples = await readdir(new URL("examples/", root));
const readmes = ["README.md", "pkg-js/README.md"];
const documents = [
  ...readmes,
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "RELEASING.md",
  "SECURITY.md",
  "benches/README.md",
  "component/README.md",
  ...examples.map((example) => `examples/${example}/README.md`),
  ...(await pages()),
];

/**
 * The files that a document names: targets of its links, and code that begins with a folder of the
 * repository.
 */
async function filesIn(/** @type {string} */ document) {
  const place = new URL(document, root);
  const prose = (await readFile(place, "utf8")).replaceAll(/```.*?```/gs, "");
  const links = prose.matchAll(/\]\((?!https?:|#)([^)#]+)/g);
  const published = prose.matchAll(
    /\]\(https:\/\/github\.com\/shardbus\/shardbus\/(?:blob|raw|tree)\/main\/([^)#]+)/g,
  );
  const code = prose.matchAll(
    /`((?:src|wasm|wit|component|pkg-js|tests|fuzz|examples|benches|docs|demo|xtask|\.github|\.ci)\/[^`*\s]*)`/g,
  );
  return [
    ...Array.from(links, ([, path = ""]) => new URL(path, place)),
    ...Array.from(published, ([, path = ""]) => new URL(path, root)),
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

test("the package's README is short, and its links work on npm", async () => {
  const readme = await readFile(new URL("pkg-js/README.md", root), "utf8");
  assert.isAtMost(readme.split(/\s+/).length, 1200);
  const targets = Array.from(readme.matchAll(/\]\(([^)]*)\)/g), ([, target = ""]) => target);
  assert.deepEqual(
    targets.filter((target) => !target.startsWith(GITHUB)),
    [],
  );
});

/** Stands for every receiver, and accepts everything. @type {Awaited<ReturnType<typeof serve>>} */
let receiver;
before(async () => {
  receiver = await serve(async (request, response) => {
    const lines = (await text(request)).split("\n");
    // As Elasticsearch answers: an item for every two lines.
    const items = Array.from({ length: lines.length >> 1 }, () => ({ create: { status: 201 } }));
    response.end(JSON.stringify({ items }));
  });
});
after(() => receiver.stop());

/** The environment that the documents speak of: a callback, a bus and its class. */
const SURROUNDINGS = `
  import * as shardbus from "shardbus";
  globalThis.EventBus = shardbus.EventBus;
  globalThis.send = async () => {};
  globalThis.bus = new EventBus(send);
`;
/** One more event through the program's bus, and the account of its end. */
const EPILOGUE = `
  typeof emit === "function" ? emit({ type: "epilogue" }) : bus.emit({ type: "epilogue" });
  await bus.close();
  console.log("settled:", JSON.stringify(bus.stats()));
  process.exit();
`;

for (const document of documents) {
  for (const { language, how, code, line } of await programs(document)) {
    const place = `${document}:${line}`;
    if (how === "fragment") continue;
    if (how.startsWith("in ")) {
      test(`the program at ${place} is run by ${how.slice(3)}`, async () => {
        const file = await readFile(new URL(how.slice(3), root), "utf8");
        assert.include(file, document);
      });
      continue;
    }
    test(`the program at ${place} runs, and loses no event`, async () => {
      assert.equal(language, "js", "only JavaScript runs here; others say how they are tested");
      const outbox = await mkdtemp(join(tmpdir(), "shardbus-documents-"));
      try {
        const here = code
          .replaceAll("https://collector.example", receiver.url)
          .replaceAll("https://search.example", receiver.url)
          .replaceAll("/var/lib/my-app/outbox", outbox)
          .replaceAll("process.env.OUTBOX_KEY", `"${"A".repeat(43)}="`);
        const output = await run(`${SURROUNDINGS}${here}${EPILOGUE}`);
        const report = JSON.parse(/settled: (.*)/.exec(output)?.[1] ?? "null");
        assert.isAtLeast(report?.delivered, 1, output);
        assert.equal(report.delivered, report.accepted, output);
        const [, printed] = /console\.log\(await bus\.close\(\)\); \/\/ (\{.*\})/.exec(code) ?? [];
        if (printed) assert.include(output.replaceAll(/\s+/g, " "), printed);
      } finally {
        await rm(outbox, { recursive: true });
      }
    });
  }
}

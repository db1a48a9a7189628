// @ts-check
// How the WebAssembly module is loaded. That happens once, so each test is a program of its own.
// Node only.
import { run } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

const slim = `
  import { EventBus, initialize } from "shardbus/slim";
  import { readFileSync } from "node:fs";
  import { createRequire } from "node:module";

  const bytes = readFileSync(createRequire(import.meta.url).resolve("shardbus/bus.wasm"));
  const tell = (run) => {
    try { console.log(run()); } catch (error) { console.log(error.code ?? error.name, error.message); }
  };
  const use = async () => {
    const bus = new EventBus((batch) => console.log(batch.events()));
    bus.ingest("works");
    await bus.close();
  };
`;

test("without initialize, slim's error names the remedy", async () => {
  const output = await run(`${slim}
    tell(() => new EventBus(() => {}));
    tell(() => new EventBus(() => {}, { shards: -1 }));
    initialize(bytes);
    await use();
  `);
  const [first, second, third] = output.split("\n");
  assert.match(first ?? "", /^ERR_NOT_INITIALIZED .*initialize\(module\).*"shardbus"/);
  assert.match(second ?? "", /^ERR_INVALID_OPTION/);
  assert.equal(third, "[ 'works' ]");
});

for (const source of [
  "new WebAssembly.Module(bytes)",
  "await WebAssembly.compile(bytes)",
  "bytes",
  "new Uint8Array(bytes)",
  "new Uint8Array(bytes).buffer",
  // As in a sandbox: of another realm, so that \`instanceof\` does not know it.
  '(await import("node:vm")).runInNewContext("new WebAssembly.Module(bytes)", { bytes })',
]) {
  test(`initialize takes ${source}`, async () => {
    assert.equal(await run(`${slim} initialize(${source}); await use();`), "[ 'works' ]\n");
  });
}

test("initialize takes the module of a loader with ESM integration", async () => {
  const output = await run(
    `${slim}
    initialize(await import("shardbus/bus.wasm"));
    await use();
  `,
    ["--no-warnings", "--experimental-wasm-modules"],
  );
  assert.equal(output, "[ 'works' ]\n");
});

test("initialize rejects a value that is no module, and takes a good one afterwards", async () => {
  const output = await run(`${slim}
    for (const source of [
      new Uint8Array([0]),
      new ArrayBuffer(0),
      bytes.subarray(0, 1000),
    ]) tell(() => initialize(source));
    // A module, but not this one.
    const module = new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    for (const source of [module, undefined, null, "bus.wasm", 5, {}, WebAssembly.compile(bytes)]) {
      tell(() => initialize(source));
    }
    initialize(bytes);
    await use();
  `);
  const lines = output.trimEnd().split("\n");
  for (const line of lines.slice(0, 3)) assert.match(line, /^ERR_WASM_UNAVAILABLE/);
  for (const line of lines.slice(3, 10))
    assert.match(line, /^TypeError initialize\(source\) takes/);
  assert.deepEqual(lines.slice(10), ["[ 'works' ]"]);
});

test("bytes of another realm are bytes", async () => {
  const output = await run(`${slim}
    import { runInNewContext } from "node:vm";
    initialize(bytes);
    const bus = new EventBus((batch) => console.log(batch.events()));
    bus.ingestRaw(runInNewContext("new Uint8Array([0x31, 0x32])"));
    await bus.close();
  `);
  assert.equal(output, "[ 12 ]\n");
});

test("initialize does its work once", async () => {
  const output = await run(`${slim}
    initialize(bytes);
    const bus = new EventBus((batch) => console.log(batch.events()));
    bus.ingest("in time");
    initialize(new Uint8Array([0]));
    initialize(bytes);
    bus.ingest("as well");
    await bus.close();
  `);
  assert.equal(output, "[ 'in time', 'as well' ]\n");
});

test("slim and the default entry share one module", async () => {
  const output = await run(`${slim}
    import { EventBus as Default } from "shardbus";
    console.log(Default === EventBus);
    await use();
  `);
  assert.equal(output, "true\n[ 'works' ]\n");
});

test("the entry for every runtime unpacks its module without anything of Node's", async () => {
  const output = await run(`
    // By its file: Node finds an entry of its own.
    const url = new URL("./index.js", import.meta.resolve("shardbus/slim"));
    process.getBuiltinModule = undefined;
    delete globalThis.Buffer;
    const { EventBus } = await import(url);
    const bus = new EventBus((batch) => console.log(batch.events()));
    bus.ingest("works");
    await bus.close();
  `);
  assert.equal(output, "[ 'works' ]\n");
});

for (const [decoder, setUp] of [
  ["Node's Buffer", ""],
  ["atob", "delete globalThis.Buffer; delete Uint8Array.fromBase64;"],
  [
    "Uint8Array.fromBase64",
    `const { Buffer } = globalThis;
    delete globalThis.Buffer;
    Uint8Array.fromBase64 = (text) => Uint8Array.from(Buffer.from(text, 'base64'));`,
  ],
]) {
  for (const [entry, url] of [
    ["Node", 'import.meta.resolve("shardbus")'],
    // By its file: Node finds an entry of its own.
    ["every runtime", 'new URL("./index.js", import.meta.resolve("shardbus/slim"))'],
  ]) {
    test(`the entry for ${entry} decodes its module with ${decoder}`, async () => {
      const output = await run(`
        const url = ${url};
        ${setUp}
        const { EventBus } = await import(url);
        const bus = new EventBus((batch) => console.log(batch.events()));
        bus.ingest("works");
        await bus.close();
      `);
      assert.equal(output, "[ 'works' ]\n");
    });
  }
}

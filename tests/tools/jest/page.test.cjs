// A page as Jest's jsdom makes it: without `TextEncoder`, `TextDecoder`, `MessageChannel` and `fetch`.

const missing = ["TextEncoder", "TextDecoder", "MessageChannel", "fetch", "setImmediate"];

const entries = {
  shardbus: ["shardbus"],
  "shardbus/js": ["shardbus/js"],
  "every other entry": [
    "shardbus/slim",
    "shardbus/requests",
    "shardbus/shutdown",
    "shardbus/otel",
    "shardbus/stores/fs",
    "shardbus/stores/indexeddb",
    "shardbus/stores/sealed",
    "shardbus/stores/custom",
    "shardbus/sinks/http",
    "shardbus/sinks/nats",
    "shardbus/sinks/redis",
    "shardbus/sinks/cloudflare-queues",
    "shardbus/sinks/kafka",
    "shardbus/sinks/r2",
  ],
};

test("jsdom has as little as these tests are about", () => {
  for (const name of missing) expect(globalThis[name]).toBeUndefined();
});

for (const [name, modules] of Object.entries(entries)) {
  test(`${name} can be required`, () => {
    for (const module of modules) expect(() => require(module)).not.toThrow();
  });
}

for (const entry of ["shardbus", "shardbus/js"]) {
  test(`${entry}: what is offered is delivered`, async () => {
    const { EventBus } = require(entry);
    const delivered = [];
    const bus = new EventBus((batch) => delivered.push(...batch.events(), ...batch));
    bus.ingest({ text: "grüße" });
    bus.ingestRaw('"raw"');
    bus.shardFor("a key");
    await bus.close();
    expect(delivered).toEqual([{ text: "grüße" }, "raw", '{"text":"grüße"}', '"raw"']);
  });

  test(`${entry}: a page that is hidden sends what is there`, async () => {
    const { EventBus } = require(entry);
    const delivered = [];
    const bus = new EventBus((batch) => delivered.push(...batch.events()), {
      batch: { maxDelayMs: 3_600_000 },
    });
    bus.ingest("a");
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    expect(delivered).toEqual(["a"]);
    // The task in which the page was left ends, and the bus is as before.
    await bus.flush();
    bus.ingest("b");
    Object.defineProperty(document, "visibilityState", { value: "visible", configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    await bus.close();
    expect(delivered).toEqual(["a", "b"]);
  });

  test(`${entry}: an option that is wrong is named, and half a surrogate pair is refused`, async () => {
    const { EventBus } = require(entry);
    expect(() => new EventBus(() => {}, { shards: 0 })).toThrow(/shards/);
    const bus = new EventBus(() => {}, { shards: 2, onDrop: () => {} });
    expect(() => bus.ingest(1, { key: "\ud800" })).toThrow(/surrogate/);
    await bus.close();
  });
}

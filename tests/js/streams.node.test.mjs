// @ts-check
// Node's own streams, and a process that has nothing but a loop.
import { getEventListeners } from "node:events";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EventBus } from "shardbus";
import { writableTo } from "shardbus/streams";
import { program } from "../documents.mjs";
import { run } from "./child.node.mjs";
import { assert, it } from "./harness.mjs";

it("a pipeline of Node's streams ends in a bus", async () => {
  /** @type {unknown[]} */
  const found = [];
  const bus = new EventBus((batch) => void found.push(...batch.events()));
  const events = Array.from({ length: 100 }, (_, n) => ({ n }));
  const writable = /** @type {import("node:stream/web").WritableStream} */ (writableTo(bus));
  await pipeline(Readable.from(events), Writable.fromWeb(writable, { objectMode: true }));
  assert.deepEqual(found, events);
  await bus.close();
});

it("a stream that has ended, or was aborted, lets go of its signal", async () => {
  const { signal } = new AbortController();
  const bus = new EventBus(() => {});
  const readable = new ReadableStream({
    start(controller) {
      controller.enqueue(1);
      controller.close();
    },
  });
  await readable.pipeTo(writableTo(bus, { signal }));
  assert.lengthOf(getEventListeners(signal, "abort"), 0);
  await writableTo(bus, { signal }).abort();
  assert.lengthOf(getEventListeners(signal, "abort"), 0);
  await bus.close();
});

it("the loop of docs/streams.md gets its event", async () => {
  const example = await program("docs/streams.md", "for await");
  const source = `
    const store = async (events) => {
      console.log(JSON.stringify(events));
      // The loop asks for the next batch, and so ends.
      setImmediate(() => bus.close());
    };
    ${example}
  `;
  assert.equal(await run(source), '[{"type":"click"}]\n');
});

it("a process that only loops lives until the bus is closed", async () => {
  const source = `
    import { EventBus } from "shardbus";
    import { pullBus } from "shardbus/streams";
    const bus = pullBus(EventBus, { batch: { maxDelayMs: 50 } });
    bus.ingest(1);
    for await (const batch of bus) {
      console.log(...batch.events());
      batch.settle();
      bus.close();
    }
    console.log("the end");
  `;
  assert.equal(await run(source), "1\nthe end\n");
});

const STREAM_ITER = "--experimental-stream-iter";

it("texts of node:stream/iter go into a bus, which makes them wait for room", async () => {
  // Node 26 has it, behind a flag.
  if (!process.allowedNodeEnvironmentFlags.has(STREAM_ITER)) return;
  const source = `
    import { Writable } from "node:stream";
    import { from, fromWritable, pipeTo } from "node:stream/iter";
    import { EventBus } from "shardbus";
    import { writableTo } from "shardbus/streams";
    const numbers = [];
    const bus = new EventBus((batch) => void numbers.push(...batch.events().map(({ n }) => n)), {
      capacity: 8,
      backpressure: "fail-producer",
    });
    const texts = Array.from({ length: 100 }, (_, n) => JSON.stringify({ n }));
    await pipeTo(from(texts), fromWritable(Writable.fromWeb(writableTo(bus, { raw: true }))));
    console.log(numbers.length, numbers.every((n, i) => n === i));
    await bus.close();
  `;
  assert.equal(await run(source, ["--no-warnings", STREAM_ITER]), "100 true\n");
});

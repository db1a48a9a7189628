// @ts-check
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { EventBus, InvalidOptionError } from "shardbus";
import { cloudflarePipelinesSink } from "shardbus/sinks/cloudflare-pipelines";
import { assert, quickRetry, test } from "../js/harness.mjs";
import { send } from "./send.mjs";
import { bundleWorker } from "./workers.mjs";

/** A pipeline that notes each call, and fails those that have an error. @param {(string | undefined)[]} errors */
function fakePipeline(...errors) {
  /** @type {any[][]} */
  const calls = [];
  return {
    calls,
    /** @param {object[]} records */
    async send(records) {
      calls.push(records);
      const error = errors.shift();
      if (error !== undefined) throw new Error(error);
    },
  };
}

const three = [{ n: 0 }, { n: 1 }, { n: 2 }];

test("an event is a record, with its id in the field that you name", async () => {
  const plain = fakePipeline();
  await send(cloudflarePipelinesSink(plain), three);
  assert.deepEqual(plain.calls, [three]);
  const named = fakePipeline();
  const { runId } = await send(cloudflarePipelinesSink(named, { idField: "id" }), three);
  assert.deepEqual(named.calls, [three.map((event, n) => ({ ...event, id: `${runId}-0-${n}` }))]);
});

test("calls have 1 MB at most, and those before one that failed are not repeated", async () => {
  const pipeline = fakePipeline(undefined, "Too many requests");
  const events = Array.from({ length: 9 }, (_, n) => ({ n, text: "é".repeat(60_000) }));
  const stats = await send(cloudflarePipelinesSink(pipeline), events, {
    batch: { maxBytes: 4 << 20 },
  });
  assert.equal(stats.delivered, 9);
  const [first = [], lost = [], again = []] = pipeline.calls;
  assert.isAtMost(Buffer.byteLength(JSON.stringify(first)), 1_000_000);
  assert.deepEqual(again, lost);
  assert.deepEqual([...first, ...again], events);
  assert.isAbove(first.length, 1);
});

test("records wait for a pipeline that is too busy, and one that is too large is abandoned", async () => {
  const busy = fakePipeline(...Array(12).fill("Too many requests"));
  assert.equal((await send(cloudflarePipelinesSink(busy), three)).delivered, 3);
  const large = fakePipeline(...Array(2).fill("payload too large"));
  const stats = await send(cloudflarePipelinesSink(large), three.slice(0, 2));
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [1, 1]);
});

test("what is no JSON object is abandoned alone", async () => {
  const pipeline = fakePipeline();
  const bus = new EventBus(cloudflarePipelinesSink(pipeline), { retry: quickRetry, onDrop() {} });
  for (const payload of ['{"n":0}', "1", "[1]", "null", "{broken", '{"n":1}']) {
    bus.ingestRaw(payload);
  }
  await bus.close();
  const { delivered, abandoned } = bus.stats();
  assert.deepEqual([delivered, abandoned.permanent], [2, 4]);
  assert.deepEqual(pipeline.calls.flat(), [{ n: 0 }, { n: 1 }]);
});

test("a Worker's events arrive over the platform's calls between Workers", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-pipelines-"));
  /** @type {unknown[]} */
  const records = [];
  const miniflare = new Miniflare({
    workers: [
      {
        name: "app",
        ...(await bundleWorker("pipelines-worker.mjs", directory)),
        serviceBindings: { CLICKS: "pipeline" },
        // Miniflare's own pipeline, which forgets its records.
        pipelines: { FORGETFUL: "forgetful" },
      },
      {
        name: "pipeline",
        modules: true,
        compatibilityDate: "2026-01-01",
        script: `
          import { WorkerEntrypoint } from "cloudflare:workers";
          export default class extends WorkerEntrypoint {
            async send(records) {
              const body = JSON.stringify(records);
              await this.env.COLLECTOR.fetch("http://collector/", { method: "POST", body });
            }
          }`,
        serviceBindings: {
          COLLECTOR: async (/** @type {any} */ request) => {
            records.push(...(await request.json()));
            return new Response();
          },
        },
      },
    ],
  });
  try {
    const url = await miniflare.ready;
    const response = await fetch(url, { method: "POST", body: JSON.stringify(three) });
    assert.deepEqual(await response.json(), { delivered: [3, 3] });
    assert.deepEqual(records, three);
  } finally {
    await miniflare.dispose();
    await rm(directory, { recursive: true });
  }
});

test("wrong arguments are named", () => {
  /** @type {[string, () => unknown][]} */
  const wrong = [
    ["pipeline", () => cloudflarePipelinesSink(/** @type {any} */ ({}))],
    ["idField", () => cloudflarePipelinesSink(fakePipeline(), { idField: "" })],
  ];
  for (const [option, make] of wrong) {
    assert.throws(/** @type {any} */ (make), InvalidOptionError, `\`${option}\``);
  }
});

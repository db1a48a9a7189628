// @ts-check

// Cloudflare lets a request make so many requests of its own, and fails all that are more. workerd
// by itself does not, so the Worker here does, with the platform's words.
import { accountedStats, assert, test } from "../../js/harness.mjs";
import { startCollector } from "../collector.mjs";
import { startWorker } from "./workerd.mjs";

const LIMIT = 50;
const EVENTS = 120;

const source = `
  import { EventBus } from "shardbus";
  import { httpSink } from "shardbus/sinks/http";

  /** The number of requests that the present one may still make. */
  let left = 0;
  const limited = async (url, init) => {
    if (left-- <= 0) throw new Error("Too many subrequests.");
    return fetch(url, init);
  };
  const sink = httpSink("https://collector.example", { fetch: limited });
  const bus = new EventBus(sink, { batch: { maxSize: 1 }, retry: { maxAttempts: 2, baseDelayMs: 1 } });

  export class FlushingObject {}
  export default {
    async fetch(request) {
      left = ${LIMIT};
      const events = Number(new URL(request.url).searchParams.get("events"));
      for (let n = 0; n < events; n++) bus.ingest(n);
      const { pending } = await bus.flush({ timeoutMs: 2000 });
      return Response.json({ pending, stats: bus.stats() });
    },
  };
`;

test("batches above a request's limit of subrequests wait for the next request", async () => {
  const collector = await startCollector();
  const worker = await startWorker(source, collector.port);
  /** @param {number} events */
  const request = async (events) => (await fetch(`${worker.url}/?events=${events}`)).json();
  try {
    // On a busy machine, a request may end before it has made all that it may make.
    let { pending, stats } = await request(EVENTS);
    assert.isAtLeast(pending, EVENTS - LIMIT);
    for (let requests = 0; pending > 0; requests++) {
      assert.isBelow(requests, 20, `${pending} events are left`);
      ({ pending, stats } = await request(0));
    }
    const { delivered, lastError } = accountedStats({ stats: () => stats });
    assert.equal(delivered, EVENTS);
    assert.include(lastError?.message, "Too many subrequests");
    const numbers = Array.from({ length: EVENTS }, (_, n) => n);
    assert.deepEqual(collector.events(), numbers);
  } finally {
    await worker.stop();
    await collector.stop();
  }
});

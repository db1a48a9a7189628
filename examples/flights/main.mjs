// @ts-check
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { checkAccounting, checkArrivals } from "./check.mjs";
import { Collector } from "./collector.mjs";
import { loadFlights } from "./flights.mjs";
import { produce } from "./produce.mjs";
import { startProgress } from "./progress.mjs";
import { report } from "./report.mjs";
import { unreliable } from "./unreliable.mjs";

const FLUSH_TIMEOUT_MS = 60_000;
const FAULTS_SHOWN = 10;

const flights = await loadFlights();
const origins = new Set(flights.map((flight) => flight.origin));
const [events, lanes] = [flights.length.toLocaleString("en-US"), origins.size];
console.log(`${events} flights from ${lanes} origins, through 4 shards to an unreliable collector`);

const collector = new Collector(unreliable);
const url = await collector.listen();
const progress = startProgress(flights.length);
/** @type {string[]} */
const faults = [];

const bus = new EventBus(
  httpSink(url, {
    headers: ({ shard, sequence }) => ({ "x-shard": `${shard}`, "x-sequence": `${sequence}` }),
  }),
  {
    shards: 4,
    capacity: 1024, // far less than the file: the producer is faster than the collector and must wait
    backpressure: "drop-newest",
    key: (/** @type {import("./flights.mjs").Flight} */ flight) => flight.origin,
    batch: { minSize: 100, maxSize: 500, maxDelayMs: 50 },
    retry: { baseDelayMs: 50, maxDelayMs: 2000 },
    onDelivered: ({ count }) => progress.add(count),
    onDrop: ({ reason, count }) => {
      // A refusal for want of room is no loss here: the producer offers the event again.
      if (reason !== "full") faults.push(`${count} events were lost: ${reason}.`);
    },
  },
);

let finished = false;
process.once("exit", () => {
  // Node ends without a word when a top-level await is pending and nothing is left to settle it.
  if (!finished) console.error("✘ The bus came to a halt: nothing is running, events are left.");
});

try {
  const started = performance.now();
  const refusals = await produce(bus, flights);
  const flushed = await bus.flush({ timeoutMs: FLUSH_TIMEOUT_MS });
  const seconds = (performance.now() - started) / 1000;
  await bus.close();
  progress.stop();

  const stats = bus.stats();
  console.log(report({ stats, duplicates: collector.duplicates, seconds }));

  faults.push(
    ...checkArrivals(flights, collector.batches),
    ...checkAccounting(stats, flights.length + refusals),
  );
  if (flushed.timedOut) {
    faults.push(`flush() gave up after ${FLUSH_TIMEOUT_MS} ms, ${flushed.pending} events pending.`);
  }
  for (const id of collector.conflicts) {
    faults.push(`Batch ${id} was sent again with a different body.`);
  }

  if (faults.length === 0) {
    console.log(
      `✔ Each of the ${events} events arrived exactly once and unchanged, and order held for each of the ${lanes} origins.`,
    );
  } else {
    process.exitCode = 1;
    for (const fault of faults.slice(0, FAULTS_SHOWN)) console.error(`✘ ${fault}`);
    const more = faults.length - FAULTS_SHOWN;
    if (more > 0) console.error(`✘ and ${more} more faults`);
  }
} finally {
  finished = true;
  progress.stop();
  await collector.close();
}

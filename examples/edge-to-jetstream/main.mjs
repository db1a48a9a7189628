// @ts-check

// Producers in up to four runtimes, one stream in JetStream, a group of consumers, and a collector.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "@nats-io/transport-node";
import { Collector } from "../flights/collector.mjs";
import { unreliable } from "../flights/unreliable.mjs";
import { checkArrived, checkProducer } from "./check.mjs";
import { stopAll } from "./children.mjs";
import { startConsumer } from "./consumers.mjs";
import { startNats } from "./nats-server.mjs";
import { findProducers } from "./producers.mjs";
import { divide, flightsOf } from "./share.mjs";
import { createStream } from "./stream.mjs";
import { watch } from "./watch.mjs";

const CONSUMERS = ["first", "second", "third"];
const FAULTS_SHOWN = 10;

const { values } = parseArgs({ options: { events: { type: "string", default: "40000" } } });

const directory = await mkdtemp(join(tmpdir(), "shardbus-edge-to-jetstream-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
const collector = new Collector(unreliable);
try {
  const faults = await run(Number(values.events));
  for (const fault of faults.slice(0, FAULTS_SHOWN)) console.error(`✘ ${fault}`);
  const more = faults.length - FAULTS_SHOWN;
  if (more > 0) console.error(`✘ and ${more} more faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} catch (error) {
  console.error(`✘ ${/** @type {Error} */ (error).message}`);
  process.exitCode = 1;
} finally {
  await stopAll();
}

/**
 * Runs it from one end to the other, and returns the defects found.
 *
 * @param {number} events
 */
async function run(events) {
  if (!Number.isSafeInteger(events) || events < 1) {
    throw new Error(`--events is ${values.events}, but it must be a whole number of at least 1.`);
  }
  const nats = await startNats(directory);
  console.log(`JetStream of nats-server ${nats.version} at ${nats.tcp} and ${nats.webSocket}`);
  const { producers, missing } = await findProducers();
  for (const runtime of missing) console.log(`There is no ${runtime} here: it goes without.`);
  const shares = divide(events, producers.length);
  const url = await collector.listen();
  let stored = 0;
  const connection = await connect({ servers: nats.tcp });
  try {
    const stream = await createStream(connection);
    const consumers = CONSUMERS.map((name) => startConsumer(name, nats.tcp, url));
    const producing = Promise.all(producers.map((one, i) => one.run(shares[i], nats, directory)));
    const failure = Promise.all([producing, nats.ended, ...consumers.map(({ ended }) => ended)]);
    failure.catch(() => {}); // told to whoever watches
    await watch({ producers, consumers, stream, producing, failure });
    stored = (await stream.look()).messages;
  } finally {
    await connection.close();
  }

  /** @type {{ [name: string]: import("../flights/flights.mjs").Flight[] }} */
  const produced = {};
  for (const [i, { name }] of producers.entries()) produced[name] = await flightsOf(shares[i]);
  const { faults, repeated, late } = checkArrived(produced, collector.batches);
  faults.push(
    ...producers.flatMap((one, i) => checkProducer(one.name, shares[i].count, one.progress)),
  );
  if (stored !== events) faults.push(`The stream has ${stored} messages for ${events} events.`);
  for (const key of collector.conflicts) faults.push(`Two requests to the collector were ${key}.`);
  if (faults.length === 0) {
    const counts = [events, collector.duplicates, repeated, late];
    const [all, batches, single, overtaken] = counts.map((n) => n.toLocaleString("en-US"));
    console.log(
      `✔ The collector has each of the ${all} events exactly once and unchanged, not counting ${batches} batches and ${single} single events that came again.
✔ In the stream, the events of each shard are in order. On the way from there to the collector, ${overtaken} were overtaken, because consumers take turns.`,
    );
  }
  return faults;
}

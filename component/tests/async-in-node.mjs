// Delivers events through an outage by the component `async` as a JavaScript module.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { clocks, random } from "@bytecodealliance/preview3-shim";

const MODULE = new URL("../../target/component/js/async.js", import.meta.url);
const DAY = 24n * 3600n * 1_000_000_000n;

/** The attempts that find nobody. */
let away = 3;
/** @type {number[]} */
const numbers = [];

/** The receiver of batches. @param {{ body: Uint8Array }} batch */
async function deliver({ body }) {
  // Long enough that the bus waits for the answer.
  await sleep(50);
  if (away-- > 0) {
    throw Object.assign(new Error("away"), { payload: { tag: "unavailable", val: 0n } });
  }
  const lines = new TextDecoder().decode(body).split("\n");
  numbers.push(...lines.map((line) => JSON.parse(line).n));
  return [];
}

const { instantiate } = await import(MODULE.href);
const compile = async (/** @type {string} */ name) =>
  WebAssembly.compile(await readFile(new URL(name, MODULE)));
const { asyncBus } = await instantiate(compile, {
  "shardbus:bus/sink": { deliver },
  "wasi:clocks/monotonic-clock": clocks.monotonicClock,
  "wasi:clocks/system-clock": clocks.systemClock,
  "wasi:random/random": random.random,
});

/** @param {any} bus @param {number} n */
const ingest = (bus, n) => bus.ingest(new TextEncoder().encode(JSON.stringify({ n })), undefined);

const bus = await asyncBus.Bus.create({});
for (let n = 0; n < 1001; n++) ingest(bus, n);
console.log(`flush: ${(await bus.flush()).delivered} delivered`);
console.log(`sink: ${numbers.length} events, ${new Set(numbers).size} different`);

const month = 30n * DAY;
const patient = await asyncBus.Bus.create({
  batch: { minSize: 2, maxDelay: month },
  timeout: month,
});
ingest(patient, 1001);
console.log(`close: ${(await patient.close(month)).delivered} delivered`);
// Cancelled timers of the shim would keep the process alive.
process.exit();

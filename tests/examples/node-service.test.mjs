// @ts-check
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Collector } from "../../examples/node-service/collector.mjs";
import { start } from "../js/child.node.mjs";
import { afterEach, assert, beforeEach, eventually, test, within } from "../js/harness.mjs";

const SERVICE = import.meta.resolve("../../examples/node-service/service.mjs");

/** @type {Collector} */
let collector;
/** @type {string} */
let collectorUrl;
/** @type {string} */
let outbox;
/** @type {ReturnType<typeof start> | undefined} */
let service;

beforeEach(async () => {
  collector = new Collector();
  collectorUrl = await collector.listen();
  outbox = await mkdtemp(join(tmpdir(), "shardbus-node-service-"));
});

afterEach(async () => {
  await service?.kill();
  await collector.close();
  await rm(outbox, { recursive: true });
});

/** Starts the service, and returns its URL. */
async function startService() {
  const env = { PORT: "0", COLLECTOR: collectorUrl, OUTBOX: outbox };
  service = start(`
    Object.assign(process.env, ${JSON.stringify(env)});
    await import(${JSON.stringify(SERVICE)});
  `);
  await service.said("Listening on");
  return /http\S+/.exec(service.output())?.[0] ?? "";
}

/** Makes requests, all at once. @param {string} url @param {string[]} paths */
const request = (url, paths) =>
  Promise.all(paths.map(async (path) => (await fetch(url + path)).text()));

/** @param {string} tag */
const pathsOf = (tag) => Array.from({ length: 100 }, (_, n) => `${tag}-${n}`);

/** Waits until the collector has some events, and checks that they are the ones of these paths. */
async function arrived(/** @type {string[]} */ paths) {
  const isSo = () => collector.events.length >= paths.length;
  await eventually(isSo, () => `${collector.events.length} arrived`, 20_000);
  assert.sameMembers(
    collector.events.map(({ url }) => url.slice(1)),
    paths,
  );
}

test("an outage of the collector is waited out, and nothing is lost", async () => {
  const url = await startService();
  collector.refusals = 6;
  await request(url, pathsOf("a"));
  await arrived(pathsOf("a"));
  assert.isBelow(collector.refusals, 0, "it has refused them all");

  const isDelivered = async () => (await (await fetch(`${url}stats`)).json()).delivered >= 100;
  await eventually(isDelivered, () => "the service does not say that it delivered all", 20_000);
});

test("a batch interrupted by SIGTERM is sent after the restart", async () => {
  let url = await startService();
  collector.refusals = Number.POSITIVE_INFINITY;
  await Promise.all([request(url, pathsOf("a")), within(collector.request(), () => "no request")]);
  service?.signal("SIGTERM");
  assert.equal(await service?.ended(), "SIGTERM");
  assert.isEmpty(collector.events);
  assert.isNotEmpty(await readdir(outbox));

  collector.refusals = 0;
  url = await startService();
  await request(url, pathsOf("b"));
  await arrived([...pathsOf("a"), ...pathsOf("b")]);
});

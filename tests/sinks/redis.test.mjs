// @ts-check
import { createClient, createCluster } from "redis";
import { EventBus, InvalidOptionError } from "shardbus";
import { redisSink } from "shardbus/sinks/redis";
import { after, assert, before, eventually, quickRetry, test } from "../js/harness.mjs";
import { send } from "./send.mjs";
import { startRedis } from "./servers.mjs";

/** @type {import("./servers.mjs").Server} */
let server;
/** @type {import("redis").RedisClientType<any, any, any, any, any>} */
let client;
before(async () => {
  server = await startRedis();
  client = createClient({ socket: { port: server.port } });
  await client.connect();
});
after(async () => {
  client.destroy();
  await server.stop();
});

/** @param {string} stream */
async function entries(stream) {
  const found = await client.xRange(stream, "-", "+");
  return (found ?? []).map((/** @type {any} */ { message }) => [message.id, message.event]);
}

test("a shard is a stream, an event an entry with an id", async () => {
  await send(redisSink(client, "mapped"), [1, { é: "ü" }]);
  const found = await entries("mapped:0");
  assert.deepEqual(
    found.map(([, event]) => event),
    ["1", '{"é":"ü"}'],
  );
  found.forEach(([id], i) => {
    assert.match(id, new RegExp(`^[0-9a-f]{16}-0-${i}$`));
  });
});

test("a batch whose answer was lost is written once, until it is forgotten", async () => {
  let calls = 0;
  /** @type {import("shardbus/sinks/redis").RedisEvaluator} */
  const losing = {
    async eval(...args) {
      const reply = await client.eval(...args);
      if (++calls < 3) throw new Error("Socket closed unexpectedly");
      return reply;
    },
  };
  assert.equal(
    (
      await send(
        redisSink(losing, () => "once"),
        [1, 2],
      )
    ).delivered,
    2,
  );
  assert.equal(calls, 3);
  assert.lengthOf(await entries("once"), 2);

  const [marker] = await client.keys("{once}:shardbus:*");
  assert.isAbove(Number(await client.pTTL(String(marker))), 3_500_000);
});

test("nothing is remembered of a batch that was refused", async () => {
  await client.set("refusing:0", "no stream");
  const refused = await send(redisSink(client, "refusing"), [1]);
  assert.equal(refused.abandoned.permanent, 1);
  assert.lengthOf(await client.keys("*refusing:0}:shardbus:*"), 0);

  const sink = redisSink(client, "full");
  await client.configSet("maxmemory", "1");
  const stats = await send(
    async (batch, context) => {
      if (context.attempt === 3) await client.configSet("maxmemory", "0");
      await sink(batch, context);
    },
    [1, 2],
  );
  assert.equal(stats.delivered, 2);
  assert.lengthOf(await entries("full:0"), 2);
});

test("a stream is trimmed", async () => {
  const events = Array.from({ length: 1000 }, (_, n) => n);
  await send(redisSink(client, "trimmed", { maxLength: 200 }), events);
  const found = await entries("trimmed:0");
  assert.isBelow(found.length, 400);
  assert.equal(found.at(-1)?.[1], "999");
});

test("a refused user is permanent", async () => {
  await client.sendCommand(["ACL", "SETUSER", "reader", "on", "nopass", "+@read", "~*"]);
  const reader = createClient({ socket: { port: server.port }, username: "reader", password: "x" });
  await reader.connect();
  const stats = await send(redisSink(reader, "denied"), [1]);
  assert.equal(stats.abandoned.permanent, 1);
  reader.destroy();
});

test("attempts that were cut off are not sent once the client is connected again", async () => {
  const node = await startRedis();
  const socket = { port: node.port, reconnectStrategy: 20 };
  // The client's own limit would end them as well, later.
  const queueing = createClient({ socket, commandOptions: { timeout: 0 } }).on("error", () => {});
  await queueing.connect();
  const bus = new EventBus(redisSink(queueing, "events"), { timeoutMs: 100, retry: quickRetry });
  try {
    await node.kill();
    bus.ingest(1);
    const flushed = bus.flush();
    await eventually(
      () => bus.stats().batches.retries >= 5,
      () => "it is not retried",
      30_000,
    );
    await node.start();
    await flushed;
    const stats = String(await queueing.sendCommand(["INFO", "commandstats"]));
    const calls = Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1]);
    const attempts = bus.stats().batches.retries + 1;
    assert.isBelow(calls, attempts - 3, `${attempts} attempts`);
    assert.lengthOf(await queueing.keys("events:*"), 1);
  } finally {
    await bus.close({ timeoutMs: 1000 });
    queueing.destroy();
    await node.stop();
  }
});

test("on a cluster, a stream and its deduplication key are in one slot", async () => {
  const node = await startRedis("--cluster-enabled", "yes");
  const url = `redis://127.0.0.1:${node.port}`;
  const admin = await createClient({ url }).connect();
  await admin.sendCommand(["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
  const isUp = async () =>
    String(await admin.sendCommand(["CLUSTER", "INFO"])).includes("state:ok");
  await eventually(isUp, () => "the cluster does not come up", 30_000);
  const cluster = createCluster({ rootNodes: [{ url }] });
  await cluster.connect();
  try {
    for (const stream of [undefined, (/** @type {number} */ shard) => `{tag}-${shard}`]) {
      const stats = await send(redisSink(cluster, stream ?? "events"), [1, 2, 3], { shards: 4 });
      assert.equal(stats.delivered, 3);
    }
  } finally {
    cluster.destroy();
    admin.destroy();
    await node.stop();
  }
});

test("wrong arguments are named", () => {
  // @ts-expect-error no client
  assert.throws(() => redisSink({}, "a"), InvalidOptionError, "`client`");
  assert.throws(() => redisSink(client, "a", { maxLength: 0 }), InvalidOptionError, "`maxLength`");
});

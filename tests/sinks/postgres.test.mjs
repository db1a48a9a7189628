// @ts-check
import pg from "pg";
import postgres from "postgres";
import { EventBus, InvalidOptionError } from "shardbus";
import { postgresSink } from "shardbus/sinks/postgres";
import { after, assert, before, eventually, quickRetry, test } from "../js/harness.mjs";
import { postgresAddress as address, connectPostgres, startPostgres } from "./postgres-server.mjs";
import { startProxy } from "./proxy.mjs";
import { send } from "./send.mjs";

/** @type {import("./servers.mjs").Server} */
let server;
/** @type {import("postgres").Sql} */
let sql;
before(async () => {
  server = await startPostgres();
  sql = await connectPostgres(server);
});
after(async () => {
  await sql?.end();
  await server?.stop();
});

/** @param {import("postgres").Options<{}>} options */
const connect = (options) => postgres({ ...address(server), onnotice() {}, ...options });

/** @param {string} table */
const create = (table) =>
  sql`CREATE TABLE ${sql(table)} (id text PRIMARY KEY, event jsonb NOT NULL)`;

/** @param {string} table */
const rows = async (table) => [...(await sql`SELECT id, event FROM ${sql(table)} ORDER BY id`)];

/** Sends events, and returns the counts and the losses. @param {import("shardbus").DeliveryCallback} sink @param {unknown[]} events */
async function sendAll(sink, events) {
  /** @type {any[]} */
  const drops = [];
  const stats = await send(sink, events, { onDrop: (drop) => void drops.push(drop) });
  return { stats, drops };
}

test("an event is a row with its id, through each client", async () => {
  const pool = new pg.Pool(address(server));
  try {
    for (const [table, client] of /** @type {const} */ ([
      ["by postgres", sql],
      ["by pg", pool],
    ])) {
      await create(table);
      const events = [1, { é: 'ü"\\' }, [null], "a'b"];
      const { runId } = await send(postgresSink(client, table), events);
      assert.deepEqual(
        await rows(table),
        events.map((event, n) => ({ id: `${runId}-0-${n}`, event })),
      );
    }
  } finally {
    await pool.end();
  }
});

test("fields go to the columns of their names, in their types", async () => {
  await sql`CREATE SCHEMA shop`;
  await sql`CREATE TABLE shop.clicks (
    n serial, id text PRIMARY KEY, "user" text, at timestamptz, tags text[], more jsonb)`;
  const sink = postgresSink(sql, "clicks", {
    schema: "shop",
    columns: ["user", "at", "tags", "more"],
  });
  const at = new Date(1_700_000_000_000);
  const { delivered } = await send(sink, [
    { user: "a", at, tags: ["x", "y"], more: { deep: [1] }, unknown: 1 },
    { user: "b" },
  ]);
  assert.equal(delivered, 2);
  const found = await sql`SELECT n, "user", at, tags, more FROM shop.clicks ORDER BY n`;
  assert.deepEqual(
    [...found],
    [
      { n: 1, user: "a", at, tags: ["x", "y"], more: { deep: [1] } },
      { n: 2, user: "b", at: null, tags: null, more: null },
    ],
  );
});

test("a batch whose answer was lost is there once", async () => {
  await create("once");
  let calls = 0;
  /** @type {import("shardbus/sinks/postgres").PostgresClient} */
  const losing = {
    async query(statement, parameters) {
      await sql.unsafe(statement, parameters);
      if (++calls < 3) throw new Error("Connection terminated unexpectedly");
    },
  };
  assert.equal((await send(postgresSink(losing, "once"), [1, 2])).delivered, 2);
  assert.equal(calls, 3);
  assert.lengthOf(await rows("once"), 2);
});

test("a row that the table refuses is abandoned alone, with the reason", async () => {
  await sql`CREATE TABLE strict (id text PRIMARY KEY, n integer UNIQUE CHECK (n < 1000) NOT NULL)`;
  const events = Array.from({ length: 100 }, (_, n) => ({ n: /** @type {unknown} */ (n) }));
  // No integer; too large; refused by the check; missing; a repetition of another event.
  for (const [at, n] of Object.entries({ 3: "x", 20: 1e12, 41: 1000, 60: null, 99: 0 })) {
    events[Number(at)] = { n };
  }
  const { stats, drops } = await sendAll(postgresSink(sql, "strict", { columns: ["n"] }), events);
  assert.deepEqual([stats.delivered, stats.abandoned.permanent], [95, 5]);
  assert.deepEqual(
    drops.map(({ error }) => error.cause.code),
    ["22P02", "22003", "23514", "23502", "23505"],
  );
  assert.equal(Number((await sql`SELECT count(*) FROM strict`)[0]?.count), 95);
});

test("payloads that are not one JSON text, or have no place in one, are abandoned alone", async () => {
  await create("raw");
  const bus = new EventBus(postgresSink(sql, "raw"), { retry: quickRetry, onDrop() {} });
  for (const payload of ["1", "{broken", '{"n":1},{"n":2}', '"a\\u0000b"', "2"]) {
    bus.ingestRaw(payload);
  }
  await bus.close();
  const { delivered, abandoned } = bus.stats();
  assert.deepEqual([delivered, abandoned.permanent], [2, 3]);
  assert.deepEqual(
    (await rows("raw")).map(({ event }) => event),
    [1, 2],
  );
});

test("a missing table, a table without a key and a refused user are final", async () => {
  await sql`CREATE TABLE keyless (id text, event jsonb)`;
  await create("secret");
  await sql`CREATE ROLE reader LOGIN`;
  const reader = connect({ user: "reader" });
  try {
    const attempts = /** @type {const} */ ([
      [sql, "missing", "42P01"],
      [sql, "keyless", "42P10"],
      [reader, "secret", "42501"],
    ]);
    for (const [client, table, code] of attempts) {
      const { stats, drops } = await sendAll(postgresSink(client, table), [1, 2]);
      assert.equal(stats.abandoned.permanent, 2, table);
      assert.equal(drops[0].error.cause.code, code);
    }
  } finally {
    await reader.end();
  }
});

/**
 * Sends an event while PostgreSQL is in a state that passes, which ends at an attempt beyond those
 * that a refused batch has.
 *
 * @param {import("postgres").Sql} client
 * @param {() => Promise<unknown>} leave
 */
async function sendUntil(client, leave) {
  const sink = postgresSink(client, "busy");
  let attempts = 0;
  return send(
    async (batch, context) => {
      if (++attempts === 13) await leave();
      await sink(batch, context);
    },
    [1],
  );
}

test("a batch waits for a lock, and for a database that is read-only for now", async () => {
  await create("busy");
  const client = connect({ max: 1, connection: { lock_timeout: 1 } });
  const locking = await sql.reserve();
  try {
    await locking`BEGIN`;
    await locking`LOCK TABLE busy`;
    assert.equal((await sendUntil(client, () => locking`COMMIT`)).delivered, 1);
    await client`SET default_transaction_read_only = on`;
    const leave = () => client`SET default_transaction_read_only = off`;
    assert.equal((await sendUntil(client, leave)).delivered, 1);
  } finally {
    await locking`ROLLBACK`;
    locking.release();
    await client.end();
  }
});

test("an attempt that was cut off is not sent after it", async () => {
  await create("slow");
  await sql`CREATE SEQUENCE calls`;
  await sql`CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF nextval('calls') < 3 THEN PERFORM pg_sleep(3600); END IF;
      RETURN NULL;
    END $$`;
  await sql`CREATE TRIGGER sleep BEFORE INSERT ON slow EXECUTE FUNCTION sleep()`;
  // On its one connection, an attempt that was not ended would hold up all others.
  const client = connect({ max: 1 });
  const bus = new EventBus(postgresSink(client, "slow"), { timeoutMs: 1000, retry: quickRetry });
  try {
    bus.ingest(1);
    await bus.flush({ timeoutMs: 60_000 });
    assert.equal(bus.stats().delivered, 1);
  } finally {
    await bus.close();
    await client.end({ timeout: 1 });
  }
});

test("a pool of pg with a query_timeout is free again after an attempt that hangs", async () => {
  await create("hung");
  const locker = await sql.reserve();
  const pool = new pg.Pool({ ...address(server), max: 1, query_timeout: 300 });
  pool.on("error", () => {});
  let failures = 0;
  const sink = postgresSink(pool, "hung");
  const bus = new EventBus(
    async (batch, context) => {
      try {
        await sink(batch, context);
      } catch (error) {
        failures++;
        throw error;
      }
    },
    { timeoutMs: 30_000, retry: quickRetry },
  );
  try {
    await locker`BEGIN`;
    await locker`LOCK TABLE hung`;
    bus.ingest(1);
    const flushed = bus.flush({ timeoutMs: 60_000 });
    await eventually(
      () => failures >= 2,
      () => `${failures} attempts have failed`,
      30_000,
    );
    await locker`COMMIT`;
    await flushed;
    assert.equal(bus.stats().delivered, 1);
    assert.lengthOf(await rows("hung"), 1);
  } finally {
    await locker`ROLLBACK`;
    locker.release();
    await bus.close();
    await pool.end();
  }
});

test("an attempt that is cut off while the server is unreachable harms nothing else", async () => {
  await create("unreachable");
  const proxy = await startProxy(server.port);
  const client = postgres({ ...address(proxy), max: 1, onnotice() {} });
  let attempts = 0;
  const sink = postgresSink(client, "unreachable");
  const bus = new EventBus(
    (batch, context) => {
      attempts++;
      return sink(batch, context);
    },
    { timeoutMs: 500, retry: quickRetry, onDrop() {} },
  );
  try {
    await client`SELECT`;
    const kept = proxy.withhold();
    proxy.refuse();
    bus.ingest(1);
    await kept;
    // The client asks the server to end the statement, by a connection that is refused.
    await eventually(
      () => attempts > 2,
      () => `${attempts} attempts`,
      30_000,
    );
    const { pending, inFlight } = bus.stats();
    assert.equal(pending + inFlight, 1);
  } finally {
    await bus.close({ timeoutMs: 100 });
    await client.end({ timeout: 0 });
    await proxy.stop();
  }
});

test("wrong arguments are named", () => {
  /** @type {[string, () => unknown][]} */
  const wrong = [
    ["client", () => postgresSink(/** @type {any} */ ({}), "a")],
    ["client", () => postgresSink(/** @type {any} */ (null), "a")],
    ["table", () => postgresSink(sql, "")],
    ["columns", () => postgresSink(sql, "a", { columns: [] })],
    ["schema", () => postgresSink(sql, "a", /** @type {any} */ ({ schema: 1 }))],
  ];
  for (const [option, make] of wrong) {
    assert.throws(/** @type {any} */ (make), InvalidOptionError, `\`${option}\``);
  }
});

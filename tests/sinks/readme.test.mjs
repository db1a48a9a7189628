// @ts-check
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createClient } from "redis";
import { program } from "../documents.mjs";
import { assert, test } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";
import { connectPostgres, startPostgres } from "./postgres-server.mjs";
import { startNats, startRedis } from "./servers.mjs";

const cwd = fileURLToPath(new URL(".", import.meta.url));

/** Runs the example for a sink of docs/sinks.md with another address. @param {string} sink @param {string} address @param {string} instead */
async function runExample(sink, address, instead) {
  const example = await program("docs/sinks.md", `shardbus/sinks/${sink}`);
  assert.include(example, address);
  const source = example.replace(address, instead);
  await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", source], { cwd });
}

test("the documented example of the HTTP sink delivers", async () => {
  /** @type {unknown[]} */
  const encodings = [];
  const collector = await serve((request, response) => {
    encodings.push(request.headers["content-encoding"]);
    request.resume().on("end", () => response.end());
  });
  try {
    await runExample("http", "https://collector.example", collector.url);
    assert.deepEqual(encodings, ["gzip"]);
  } finally {
    await collector.stop();
  }
});

test("the documented example of the NATS sink delivers", async () => {
  const server = await startNats();
  const connection = await connect({ port: server.port });
  try {
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name: "events", subjects: ["events.*"] });
    await runExample("nats", "localhost:4222", `127.0.0.1:${server.port}`);
    assert.equal((await streams.info("events")).state.messages, 1);
  } finally {
    await connection.close();
    await server.stop();
  }
});

test("the documented example of the PostgreSQL sink delivers", async () => {
  const server = await startPostgres();
  const sql = await connectPostgres(server);
  try {
    await runExample("postgres", "localhost:5432", `127.0.0.1:${server.port}`);
    const rows = await sql`SELECT event FROM events`;
    assert.deepEqual([...rows], [{ event: { type: "click" } }]);
  } finally {
    await sql.end();
    await server.stop();
  }
});

test("the documented example of the Redis sink delivers", async () => {
  const server = await startRedis();
  const client = createClient({ socket: { port: server.port } });
  await client.connect();
  try {
    await runExample("redis", "localhost:6379", `127.0.0.1:${server.port}`);
    const streams = await client.keys("events:*");
    assert.lengthOf(streams, 1);
    assert.equal(await client.xLen(String(streams[0])), 1);
  } finally {
    client.destroy();
    await server.stop();
  }
});

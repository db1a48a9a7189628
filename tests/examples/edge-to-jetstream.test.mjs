// @ts-check
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { checkArrived } from "../../examples/edge-to-jetstream/check.mjs";
import { startChild, stopAll } from "../../examples/edge-to-jetstream/children.mjs";
import { watch } from "../js/child.node.mjs";
import { afterEach, assert, eventually, sum, test } from "../js/harness.mjs";

const PROGRAM = fileURLToPath(
  new URL("../../examples/edge-to-jetstream/main.mjs", import.meta.url),
);
const runtimes = createRequire(new URL("../runtimes/package.json", import.meta.url));

/** @param {string} packageName @param {string} program */
const programOf = (packageName, program) =>
  join(dirname(runtimes.resolve(`${packageName}/package.json`)), program);

/** @type {ReturnType<typeof watch>} */
let program;

/** @param {number} events @param {Record<string, string>} [env] */
function start(events, env = {}) {
  const DENO = programOf(`@deno/${process.platform}-${process.arch}-glibc`, "deno");
  const BUN = programOf(`@oven/bun-${process.platform}-${process.arch}`, "bin/bun");
  const options = { env: { ...process.env, DENO, BUN, ...env } };
  program = watch(spawn(process.execPath, [PROGRAM, "--events", `${events}`], options));
}

afterEach(() => program?.kill());

/** The numbers of a producer in the last table. @param {string} runtime */
function row(runtime) {
  const line = program
    .output()
    .split("\n")
    .findLast((text) => text.startsWith(`│ ${runtime} `));
  const cells = line?.split("│").slice(2, -1) ?? [];
  const [accepted, delivered, held, ...shards] = cells.map((cell) =>
    Number(cell.replaceAll(",", "")),
  );
  return { accepted, delivered, held, stored: sum(shards) };
}

/** True if the server still takes connections. */
async function isListening() {
  const port = Number(/nats:\/\/127\.0\.0\.1:(\d+)/.exec(program.output())?.[1]);
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

test("four runtimes' events arrive once, though the collector fails, and nothing stays behind", async () => {
  // Enough for the collector to fail in each of its ways.
  start(4000);
  await program.said("from there");
  assert.equal(await program.ended(), 0, program.output());
  assert.include(program.output(), "The collector has each of the 4,000 events exactly once");
  const again = Number(/not counting (\S+) batches/.exec(program.output())?.[1]);
  assert.isAbove(again, 0);
  assert.include(program.output(), "stream: 4,000 messages; lag of the group: 0 to deliver");
  for (const runtime of ["Node", "Deno", "Bun", "workerd"]) {
    const { held, stored, accepted, delivered } = row(runtime);
    assert.deepEqual([held, stored], [0, 1000], runtime);
    assert.isAbove(accepted, 0);
    assert.equal(delivered, accepted);
  }
  assert.isFalse(await isListening());
});

test("the messages of a killed consumer are handed on by the others", async () => {
  start(20_000);
  const holds = /│ first, pid (\d+) +│ +\S+ │ +\S+ │ +[1-9]/;
  await program.said(holds);
  process.kill(Number(holds.exec(program.output())?.[1]), "SIGKILL");
  await program.said("from there");
  assert.equal(await program.ended(), 0, program.output());
  assert.include(program.output(), "│ first, killed");
  assert.include(program.output(), "The collector has each of the 20,000 events exactly once");
});

test("when a producer fails it says so, and ends", async () => {
  // It does not know what `bun run` is.
  start(1_000_000, { BUN: process.execPath });
  assert.equal(await program.ended(), 1);
  assert.include(program.output(), `✘ ${process.execPath} ended: 1.`);
  assert.isFalse(await isListening());
});

test("it goes without the runtimes that are not here, and says so", async () => {
  start(1001, { DENO: "/no/deno", BUN: "/no/bun" });
  await program.said("from there");
  assert.equal(await program.ended(), 0, program.output());
  assert.include(program.output(), "There is no Deno here");
  assert.include(program.output(), "There is no Bun here");
  assert.equal(row("Node").stored + row("workerd").stored, 1001);
});

test("without a server it says how to get one", async () => {
  start(1000, { NATS_SERVER: "/no/nats-server" });
  assert.equal(await program.ended(), 1);
  assert.include(program.output(), "There is no /no/nats-server. Debian and Homebrew have it");
});

test("when it is told to end it leaves no server behind", async () => {
  start(1_000_000);
  await program.said("lag of the group");
  assert.isTrue(await isListening());
  program.signal("SIGTERM");
  assert.equal(await program.ended(), 143);
  await eventually(
    async () => !(await isListening()),
    () => "the server still listens",
  );
});

test("a producer in preparation at the stop does not start", async () => {
  const options = { onLine: () => {} };
  const { ended } = startChild("sleep", ["60"], options);
  await stopAll();
  assert.equal(await ended, "SIGKILL");
  assert.throws(() => startChild(process.execPath, ["--version"], options), /comes too late/);
});

/** The collected events of two shards, when all is well. */
function arrived() {
  const flights = Array.from({ length: 4 }, (_, n) => ({
    ...{ date: `2001/01/0${n}`, delay: n, distance: 100 },
    ...{ origin: n < 2 ? "AUS" : "OAK", destination: "SFO" },
  }));
  const lines = flights.map((flight, n) => ({
    id: `nonce-${n < 2 ? 0 : 1}-${n % 2}`,
    subject: `flights.node.${n < 2 ? 0 : 1}`,
    sequence: n + 1,
    event: { n, ...flight },
  }));
  return { flights, lines };
}

/** @param {import("../../examples/flights/flights.mjs").Flight[]} flights @param {any[][]} requests */
function check(flights, requests) {
  const batches = requests.map((lines, i) => {
    const body = Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n"));
    return { id: `first-${i}`, shard: Number.NaN, sequence: Number.NaN, body };
  });
  return checkArrived({ node: flights }, batches);
}

test("repeated and late events pass the check; lost, changed and misplaced ones fail it", () => {
  const { flights, lines } = arrived();
  const [a, b, c, d] = lines;
  assert.deepEqual(check(flights, [[b, c], [a, b], [d]]), { faults: [], repeated: 1, late: 1 });

  /** @param {any[]} lines @param {RegExp} fault */
  const faulty = (lines, fault) => {
    const { faults } = check(flights, [lines]);
    assert.isTrue(
      faults.some((text) => fault.test(text)),
      `${fault} is not in ${faults}`,
    );
  };
  faulty([a, b, c], /Event 3 never arrived/);
  faulty([a, b, d], /flights\.node\.1: message 0 has the id nonce-1-1/);
  faulty([a, b, c, { ...d, event: { ...d.event, delay: 7 } }], /Event 3 arrived changed/);
  faulty([a, b, c, d, { ...d, id: "nonce-1-2", sequence: 9 }], /Event 3 arrived twice/);
  faulty([{ ...a, sequence: 2 }, { ...b, sequence: 1 }, c, d], /Order broken for origin AUS/);
  faulty([a, b, c, { ...d, subject: "flights.node.0" }], /moved from shard/);
});

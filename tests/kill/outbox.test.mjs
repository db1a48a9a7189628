// @ts-check
// A process with a store is killed at random moments, again and again, while its collector fails at
// random and files are damaged between its lives. `SHARDBUS_SEED=… node --test` repeats the dice,
// but not the timing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, test, within } from "../js/harness.mjs";
import { serve } from "../loopback.mjs";

const KILLS = 200;
/** So many at a time, each with a directory of its own. */
const CHAINS = 2;
const program = fileURLToPath(new URL("outbox-life.mjs", import.meta.url));

/** Numbers from 0 up to 1 (mulberry32). @param {number} seed */
function dice(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A collector that takes, refuses, hangs, or takes and does not say so. @param {() => number} random */
async function startCollector(random) {
  /** The body of each batch. @type {Map<string, string>} */
  const bodies = new Map();
  const counts = { taken: 0, duplicates: 0, refused: 0, hung: 0, unanswered: 0 };
  /** @type {string[]} */
  const wrong = [];
  let isHealthy = false;

  /** @param {string} id @param {string} body */
  const take = (id, body) => {
    const before = bodies.get(id);
    if (before === undefined) counts.taken++;
    else counts.duplicates++;
    if (before !== undefined && before !== body) wrong.push(`${id} has two bodies`);
    bodies.set(id, body);
  };

  const server = await serve(async (request, response) => {
    let body = "";
    try {
      for await (const chunk of request.setEncoding("utf8")) body += chunk;
    } catch {
      return;
    }
    const id = String(request.headers["idempotency-key"]);
    const fate = isHealthy ? 0 : random();
    if (fate < 0.7) {
      take(id, body);
      response.end();
    } else if (fate < 0.85) {
      counts.refused++;
      response.writeHead(503).end();
    } else if (fate < 0.9) {
      counts.hung++;
    } else {
      counts.unanswered++;
      take(id, body);
      response.destroy();
    }
  });
  return {
    url: `${server.url}/`,
    bodies,
    counts,
    wrong,
    recover() {
      isHealthy = true;
    },
    stop: server.stop,
  };
}

/** Starts a run, and collects its output. @param {string[]} args */
function startLife(...args) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    errors += text;
  });
  const close = once(child, "close");
  return {
    /**
     * Waits until it has printed so many lines, or for a moment if it has no more to print.
     * @param {number} count
     */
    async told(count) {
      let timer;
      const late = new Promise((resolve) => {
        timer = setTimeout(resolve, 2000);
      });
      const enough = () => output.split("\n").length > count;
      while (!enough() && (await Promise.race([once(child.stdout, "data"), late]))) {}
      clearTimeout(timer);
    },
    kill: () => child.kill("SIGKILL"),
    async ended() {
      const [code, signal] = await within(close, () => `it does not end: ${output}`, 60_000);
      // The kill may have cut off the last line.
      return { code, signal, errors, lines: output.split("\n").slice(0, -1) };
    },
  };
}

/** The position of the version in an encoded batch. */
const VERSION_AT = 8;

/** Ways to damage a file. @type {((bytes: Buffer, random: () => number) => Buffer)[]} */
const damages = [
  (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length)),
  (bytes, random) => {
    // Not the version: the bus leaves a batch of another version in the store.
    const place = Math.floor(random() * (bytes.length - 1));
    const at = place < VERSION_AT ? place : place + 1;
    bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    return bytes;
  },
  (bytes) => Buffer.concat([bytes, Buffer.from([0])]),
  (bytes) => Buffer.alloc(bytes.length),
];

/** Damages one of the batches in a directory, and returns its key. @param {string} directory @param {() => number} random */
async function damageOne(directory, random) {
  const paths = await readdir(directory, { recursive: true });
  const files = paths.filter((path) => path.endsWith(".batch")).sort();
  const file = files[Math.floor(random() * files.length)];
  if (file === undefined) return undefined;
  const damage = damages[Math.floor(random() * damages.length)] ?? ((bytes) => bytes);
  const path = join(directory, file);
  await writeFile(path, damage(await readFile(path), random));
  return basename(file, ".batch");
}

/** A batch's id, by its key: that begins with a time. @param {string} key */
const idOf = (key) => key.slice(key.indexOf("-") + 1);

/**
 * Lets a process live, and kills it, again and again; and then lets it come to its end. Returns all
 * that it printed of its batches.
 *
 * @param {string} directory
 * @param {Awaited<ReturnType<typeof startCollector>>} collector
 * @param {() => number} random
 */
async function liveAndDie(directory, collector, random) {
  /** Ids that were written or handed to the callback. @type {Set<string>} */
  const cut = new Set();
  /** Keys. @type {Set<string>} */
  const damaged = new Set();
  /** Keys of unreadable batches. @type {Set<string>} */
  const reported = new Set();

  /** @param {{ errors: string, lines: string[] }} told */
  const note = ({ errors, lines }) => {
    assert.equal(errors, "");
    for (const line of lines) {
      const [what, first = "", second = ""] = line.split(" ");
      if (what === "written") cut.add(idOf(first));
      else if (what === "called") cut.add(first);
      else if (what === "error" && first === "read") reported.add(second);
      else assert.include(["ready", "closed"], what, line);
    }
  };

  for (let kill = 0; kill < KILLS / CHAINS; kill++) {
    const process = startLife(directory, collector.url, `${basename(directory)}${kill}`);
    // Some die while they start, or while they send the batches of earlier runs.
    if (random() < 0.9) await process.told(Math.floor(random() * 20));
    await new Promise((resolve) => setTimeout(resolve, random() * 20));
    process.kill();
    note(await process.ended());
    if (random() < 0.25) {
      const key = await damageOne(directory, random);
      if (key !== undefined) damaged.add(key);
    }
  }
  return {
    cut,
    damaged,
    reported,
    async finish() {
      const end = await startLife(directory, collector.url, "last", "is last").ended();
      note(end);
      assert.equal(end.code, 0);
    },
  };
}

test(`a process that is killed ${KILLS} times loses no batch that it had begun to send`, async (t) => {
  const seed = Number(process.env.SHARDBUS_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`SHARDBUS_SEED=${seed}`);
  const parent = await mkdtemp(join(tmpdir(), "shardbus-outbox-"));
  const directories = Array.from({ length: CHAINS }, (_, i) => join(parent, "abcdefgh".charAt(i)));
  const collector = await startCollector(dice(seed));
  try {
    await Promise.all(directories.map((directory) => mkdir(directory)));
    const chains = await Promise.all(
      directories.map((directory, i) => liveAndDie(directory, collector, dice(seed + 1 + i))),
    );
    collector.recover();
    for (const chain of chains) await chain.finish();

    const cut = chains.flatMap((chain) => [...chain.cut]);
    const damaged = chains.flatMap((chain) => [...chain.damaged]);
    const counts = { ...collector.counts, begun: cut.length, damaged: damaged.length };
    t.diagnostic(JSON.stringify(counts));
    for (const [what, count] of Object.entries(counts)) assert.isAbove(count, 0, what);

    for (const [i, { damaged, reported }] of chains.entries()) {
      const files = await readdir(directories[i] ?? "", { recursive: true });
      // A life that was killed as it began may leave its directory for an hour.
      const isExpected = (/** @type {string} */ path) =>
        path.endsWith(".corrupt") || path.startsWith("new-");
      assert.isEmpty(files.filter((path) => !isExpected(path)));
      const corrupt = files.flatMap((path) => /^(.*)\.corrupt$/.exec(path)?.[1] ?? []);
      assert.sameMembers(corrupt, [...damaged], "what was damaged is set aside, the rest is gone");
      assert.sameMembers([...reported], corrupt, "and reported");
    }
    const excused = new Set(damaged.map(idOf));
    const lost = cut.filter((id) => !collector.bodies.has(id) && !excused.has(id));
    assert.deepEqual(lost, [], "lost");
    assert.deepEqual(collector.wrong, []);
    /** The id of the batch that brought each event. @type {Map<string, string>} */
    const broughtBy = new Map();
    for (const [id, body] of collector.bodies) {
      for (const line of body.split("\n")) {
        const { event } = JSON.parse(line);
        assert.match(event, /^[a-h]\d+-\d+$/);
        assert.isFalse(broughtBy.has(event), `${event} came in ${id} and ${broughtBy.get(event)}`);
        broughtBy.set(event, id);
      }
    }
  } finally {
    await collector.stop();
    await rm(parent, { recursive: true });
  }
});

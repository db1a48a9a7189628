// @ts-check
// A process with a fileStore is killed in an outage: the package at its defaults, a real receiver,
// real processes and a real disk.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, eventually, it, within } from "../js/harness.mjs";
import { startReceiver } from "./receivers.mjs";

const program = fileURLToPath(new URL("life.mjs", import.meta.url));

/** The longest wait of an event before its batch leaves: `batch.maxDelayMs`. */
const MAX_DELAY_MS = 1000;
/** The time of a write on a busy machine, beyond that. */
const MARGIN_MS = 3000;

const LIMIT_MS = 60_000;

it("events older than maxDelayMs when the process was killed are delivered at the next start", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-killed-"));
  const receiver = await startReceiver();
  await receiver.become("gone");
  const child = fork(program, [directory, receiver.url]);
  try {
    /** @type {{ n: number, at: number }[]} */
    const accepted = [];
    child.on("message", (/** @type {any} */ message) => accepted.push(message));
    const isOld = (/** @type {{ at: number }} */ { at }) =>
      at < Date.now() - MAX_DELAY_MS - MARGIN_MS;
    // Most of them came while others had failed before them.
    await eventually(
      () => accepted.filter(isOld).length > 500,
      () => `${accepted.length} events`,
      LIMIT_MS,
    );
    const old = accepted.filter(isOld).map(({ n }) => n);
    child.kill("SIGKILL");
    await once(child, "exit");
    await receiver.become("up");
    const next = fork(program, [directory, receiver.url, "last"]);
    const [delivered] = await within(
      once(next, "message"),
      () => "the next start sends nothing",
      LIMIT_MS,
    );
    await within(once(next, "exit"), () => "the next start does not end", LIMIT_MS);
    const { stored } = await receiver.report();
    t.diagnostic(JSON.stringify({ accepted: accepted.length, old: old.length, delivered }));
    assert.isEmpty(old.filter((n) => !stored.includes(n)));
    assert.lengthOf(new Set(stored), delivered, "each once");
  } finally {
    child.kill("SIGKILL");
    await receiver.stop();
    await rm(directory, { recursive: true });
  }
});

// @ts-check
// The function of docs/start/lambda.md, in a process that stands still between two calls as
// Lambda's do.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { program } from "../documents.mjs";
import { assert, test, within } from "../js/harness.mjs";
import { startCollector } from "../runtimes/collector.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

/** Answers each message with the handler's result. The time for the end suits a busy machine. */
const host = `
  import { installShutdownHooks } from "shardbus/shutdown";
  import process from "node:process";
  process.on("message", async (event) => process.send(await handler(event)));
  installShutdownHooks(bus, { timeoutMs: 20_000 });
  process.send("ready");
`;

test("a function's events arrive within its calls, over a freeze, and at its end", async () => {
  const collector = await startCollector();
  const directory = await mkdtemp(join(here, "lambda-"));
  const source = await program("docs/start/lambda.md", "export async function handler");
  const address = `http://127.0.0.1:${collector.port}`;
  const file = join(directory, "function.mjs");
  await writeFile(file, `${source.replace("https://collector.example", address)}${host}`);
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exit = once(child, "exit");
  const ready = once(child, "message");
  const call = async (/** @type {string} */ rawPath) => {
    const answer = once(child, "message");
    child.send({ rawPath });
    const [{ statusCode }] = await within(answer, () => `${rawPath} is not answered`);
    assert.equal(statusCode, 200);
  };
  try {
    await within(ready, () => "the function does not start");
    await call("/first");
    await within(collector.nthEvent(2), () => "the first call sends nothing");
    // The second call's request has no answer before the process stands still.
    collector.holdNext();
    await call("/second");
    child.kill("SIGSTOP");
    for (const { answer } of collector.log) answer();
    child.kill("SIGCONT");
    await call("/third");
    collector.holdNext();
    await call("/last");
    child.kill("SIGTERM");
    const [, signal] = await within(exit, () => "the process does not end", 60_000);
    assert.equal(signal, "SIGTERM");
    const paths = collector.events().map(({ path }) => path);
    // The collector got the held ones once more, in batches with the same ids.
    assert.deepEqual([...new Set(paths)], ["/", "/first", "/second", "/third", "/last"]);
    const ids = new Set(collector.log.map(({ id }) => id));
    assert.isBelow(ids.size, collector.log.length);
  } finally {
    child.kill("SIGKILL");
    await exit;
    await rm(directory, { recursive: true });
    await collector.stop();
  }
});

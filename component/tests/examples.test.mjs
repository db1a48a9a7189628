// The hosts of `examples/component` deliver every event to a receiver that is away at first.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { serve } from "../../tests/loopback.mjs";
import { transpiled } from "./jco.mjs";

const EXAMPLES = new URL("../../examples/component/", import.meta.url);

/** Runs a program against a receiver. Returns its output, and the number of events that arrived. */
async function run(command, program, env = {}) {
  const events = new Set();
  let requests = 0;
  const receiver = await serve(async (request, response) => {
    const body = await text(request);
    requests++;
    if (requests > 2) for (const line of body.split("\n")) events.add(JSON.parse(line).n);
    response.writeHead(requests > 2 ? 204 : 503).end();
  });
  try {
    const args = [new URL(program, EXAMPLES).pathname, receiver.url];
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 120_000,
    });
    const [printed, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    assert.equal(code, 0, `${program} ends with 0`);
    return { printed, events: events.size };
  } finally {
    await receiver.stop();
  }
}

const ALL = { printed: "delivered 1001, abandoned 0\n", events: 1001 };

test("a host in Python delivers every event through an outage", async () => {
  assert.deepEqual(await run("python3", "main.py"), ALL);
});

test("a host in Node delivers every event through an outage", async () => {
  const directory = await transpiled("core");
  try {
    const module = pathToFileURL(join(directory, "core.js")).href;
    assert.deepEqual(await run("node", "main.mjs", { SHARDBUS_COMPONENT: module }), ALL);
  } finally {
    await rm(directory, { recursive: true });
  }
});

// @ts-check
// How a process with shutdown hooks ends: each test is a program of its own that gets real signals.
// Node only.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, start } from "./child.node.mjs";
import { assert, test } from "./harness.mjs";

const HOUR_MS = 3_600_000;

/** A program with a bus that has an event to deliver, and something that keeps it running. */
const setUp = `
  import { EventBus } from "shardbus";
  import { installShutdownHooks } from "shardbus/shutdown";
  const slow = { batch: { maxDelayMs: ${HOUR_MS} }, onDrop: ({ reason }) => console.log(reason) };
  const makeBus = (event, send = print) => {
    const bus = new EventBus(send, slow);
    bus.ingest(event);
    return bus;
  };
  const print = (batch) => console.log(...batch.events());
  const hang = () => {
    console.log("hanging");
    return new Promise(() => {});
  };
  const keepRunning = () => setInterval(() => {}, 1000);
`;

const hooked = `${setUp}
  installShutdownHooks(makeBus("delivered"));
  keepRunning();
  console.log("ready");
`;

/**
 * Starts a program, sends it a signal once it is ready, and returns its exit and its output.
 *
 * @param {string} program
 * @param {NodeJS.Signals} [signal]
 */
async function signalled(program, signal = "SIGTERM") {
  const child = start(program);
  try {
    await child.said("ready\n");
    child.signal(signal);
    const end = await child.ended();
    return { end, output: child.output().replace("ready\n", "") };
  } finally {
    await child.kill();
  }
}

for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT"])) {
  test(`on ${signal} the buses are closed, and then it ends the process`, async () => {
    assert.deepEqual(await signalled(hooked, signal), { end: signal, output: "delivered\n" });
  });
}

test("another signal is acted on if it is asked for, and only then", async () => {
  assert.deepEqual(await signalled(hooked, "SIGHUP"), { end: "SIGHUP", output: "" });
  const asked = `${setUp}
    installShutdownHooks(makeBus("delivered"), { signals: ["SIGHUP"] });
    keepRunning();
    console.log("ready");
  `;
  assert.deepEqual(await signalled(asked, "SIGHUP"), { end: "SIGHUP", output: "delivered\n" });
});

test("a process that has nothing left to do closes its buses, and keeps its exit status", async () => {
  const child = start(`${setUp}
    installShutdownHooks([makeBus("one"), makeBus("two")]);
    process.exitCode = 3;
  `);
  assert.equal(await child.ended(), 3);
  assert.equal(child.output(), "one\ntwo\n");
});

/** Four fifths of the default of `timeoutMs`: hooks that ignore the option send for as long. */
const DEFAULT_SENDING_MS = 4000;

test("batches in flight when the time is up are abandoned", async () => {
  const { end, output } = await signalled(`${setUp}
    let signalledAt;
    const send = () => {
      signalledAt = performance.now();
      return hang();
    };
    const onDrop = ({ reason }) => console.log(reason, performance.now() - signalledAt);
    const bus = new EventBus(send, { ...slow, onDrop });
    bus.ingest("stuck");
    installShutdownHooks(bus, { timeoutMs: 2500 });
    keepRunning();
    console.log("ready");
  `);
  assert.equal(end, "SIGTERM");
  const [, ms] = /^hanging\nshutdown ([\d.]+)\n$/.exec(output) ?? assert.fail(output);
  assert.isBelow(Number(ms), DEFAULT_SENDING_MS);
});

test("buses get four fifths of the time to send, so that stores have the rest", async () => {
  const output = await run(`${setUp}
    const bus = { close: async ({ timeoutMs }) => console.log(timeoutMs) };
    installShutdownHooks([bus, bus], { timeoutMs: 1000 });
    installShutdownHooks(bus);
  `);
  assert.equal(output, "800\n800\n4000\n");
});

test("a bus that does not close, or fails to, keeps no process from ending", async () => {
  const { end, output } = await signalled(`${setUp}
    const stuck = {
      close: () => {
        setTimeout(() => console.log("late"), ${DEFAULT_SENDING_MS});
        return new Promise(() => {});
      },
    };
    const broken = { close: () => { throw new Error("broken"); } };
    installShutdownHooks([stuck, broken, makeBus("delivered")], { timeoutMs: 100 });
    keepRunning();
    console.log("ready");
  `);
  assert.equal(end, "SIGTERM");
  assert.include(output, "delivered\n");
  assert.include(output, "Error: broken");
  assert.notInclude(output, "late");
});

test("a second signal ends the process at once, but not one that echoes the first", async () => {
  const child = start(`${setUp}
    installShutdownHooks(makeBus("stuck", hang), { timeoutMs: 100_000 });
    keepRunning();
    process.stdin.on("data", () => console.log("alive"));
    console.log("ready");
  `);
  try {
    await child.said("ready");
    child.signal("SIGINT");
    await child.said("hanging");
    child.signal("SIGINT");
    await new Promise((resolve) => setTimeout(resolve, 400));
    child.write("?");
    await child.said("alive");
    child.signal("SIGTERM");
    assert.equal(await child.ended(), "SIGTERM");
    assert.notInclude(child.output(), "shutdown");
  } finally {
    await child.kill();
  }
});

for (const method of ["on", "once", "prependListener"]) {
  test(`a program that listens by process.${method} ends as it likes, and hears the signal once`, async () => {
    const { end, output } = await signalled(`${setUp}
      const bus = makeBus("delivered");
      installShutdownHooks(bus);
      process.${method}("SIGTERM", async () => {
        console.log("heard");
        await bus.close();
        setTimeout(() => process.exit(7), 100);
      });
      keepRunning();
      console.log("ready");
    `);
    assert.deepEqual({ end, output }, { end: 7, output: "heard\ndelivered\n" });
  });
}

for (const method of ["on", "once", "prependListener", "prependOnceListener"]) {
  test(`a program that listened by process.${method} before the hooks came ends as it likes, too`, async () => {
    const { end, output } = await signalled(`${setUp}
      const bus = makeBus("delivered");
      process.${method}("SIGTERM", async () => {
        console.log("heard");
        await bus.close();
        setTimeout(() => process.exit(7), 100);
      });
      installShutdownHooks(bus);
      keepRunning();
      console.log("ready");
    `);
    assert.deepEqual({ end, output }, { end: 7, output: "heard\ndelivered\n" });
  });
}

test("hooks that were installed one by one wait for each other", async () => {
  const { end, output } = await signalled(`${setUp}
    import { createRequire } from "node:module";
    const { installShutdownHooks: another } = createRequire(import.meta.url)("shardbus/shutdown");
    const later = (ms) => async (batch) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      print(batch);
    };
    installShutdownHooks(makeBus("second", later(200)));
    installShutdownHooks(makeBus("first", later(1)));
    another(makeBus("third", later(400)));
    keepRunning();
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: "SIGTERM", output: "first\nsecond\nthird\n" });
});

for (const [version, load] of [
  ["4", 'import { onExit } from "signal-exit";'],
  ["3", 'import onExit from "signal-exit-3";'],
]) {
  const listen = 'onExit((code, signal) => console.log("exit", code, signal));';
  const install = 'installShutdownHooks(makeBus("delivered"));';
  for (const [order, first, second] of [
    ["before", listen, install],
    ["after", install, listen],
  ]) {
    test(`it gets along with signal-exit ${version}, loaded ${order} it, which ends a process only if nobody else listens`, async () => {
      const { end, output } = await signalled(`${setUp}
        ${load}
        ${first}
        ${second}
        keepRunning();
        console.log("ready");
      `);
      const expected = "delivered\nexit null SIGTERM\n";
      assert.deepEqual({ end, output }, { end: "SIGTERM", output: expected });
    });
  }
}

test("hooks that were taken away do nothing", async () => {
  const { end, output } = await signalled(`${setUp}
    const takeAway = installShutdownHooks(makeBus("not delivered"));
    takeAway();
    takeAway();
    keepRunning();
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: "SIGTERM", output: "" });
  const idle = await run(`${setUp}
    installShutdownHooks(makeBus("not delivered"))();
  `);
  assert.equal(idle, "");
});

/** True if this user may start the first process of a container. */
function canUnshare() {
  try {
    execFileSync("unshare", ["--fork", "--pid", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test("the first process of a container ends too, with the signal's status", {
  skip: !canUnshare(),
}, async () => {
  const program = `${setUp}
    installShutdownHooks(makeBus("delivered"));
    keepRunning();
    console.log(process.pid);
    process.kill(process.pid, "SIGTERM");
  `;
  const child = start(program, 'exec unshare --fork --pid --kill-child "$0" "$@"');
  try {
    assert.equal(await child.ended(), 143);
    assert.equal(child.output(), "1\ndelivered\n");
  } finally {
    await child.kill();
  }
});

test("wrong arguments are refused at once", async () => {
  const output = await run(`${setUp}
    const bus = makeBus("not delivered");
    const wrong = [
      [], [null], [{}], ["bus"], [[bus, {}]], [bus, { timeoutMs: -1 }], [bus, { timeoutMs: "1" }],
      [bus, { timeout: 1 }], [bus, { signals: "SIGTERM" }], [bus, { signals: ["SIGKILL"] }],
    ];
    for (const args of wrong) {
      try {
        installShutdownHooks(...args);
        console.log("accepted", args);
      } catch ({ code }) {
        if (code !== "ERR_INVALID_OPTION") console.log(code);
      }
    }
    console.log(process.listenerCount("SIGTERM"), process.listenerCount("beforeExit"));
  `);
  assert.equal(output, "0 0\n");
});

/**
 * Runs a program with a directory for a store, and then another one, that prints the batches that
 * it finds.
 */
async function twoLives(/** @type {(program: string) => Promise<unknown>} */ live, program = "") {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-shutdown-"));
  const store = `
    import { fileStore } from "shardbus/stores/fs";
    const store = fileStore(${JSON.stringify(directory)});
  `;
  try {
    await live(`${setUp} ${store} ${program}`);
    return await run(`${setUp} ${store}
      const bus = new EventBus(print, { store });
      await bus.flush();
      await bus.close();
    `);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test("with a store, events that a signal leaves no time for are sent at the next start", async () => {
  const program = `
    const bus = new EventBus(hang, { ...slow, store });
    for (const event of ["one", "two"]) bus.ingest(event);
    installShutdownHooks(bus, { timeoutMs: 3000 });
    keepRunning();
    console.log("ready");
  `;
  const live = async (/** @type {string} */ program) => {
    const { end, output } = await signalled(program);
    assert.deepEqual({ end, output }, { end: "SIGTERM", output: "hanging\n" });
  };
  assert.equal(await twoLives(live, program), "one two\n");
});

test("with a store, events left at process.exit() can be saved for the next start", async () => {
  const program = `
    const bus = new EventBus(hang, { ...slow, store });
    for (const event of ["one", "two"]) bus.ingest(event);
    process.on("exit", () => console.log(bus.saveSync()));
    setImmediate(() => process.exit());
  `;
  const live = async (/** @type {string} */ program) => assert.equal(await run(program), "true\n");
  assert.equal(await twoLives(live, program), "one two\n");
});

test("events left at process.exit() can be drained and written down", async () => {
  const output = await run(`${setUp}
    import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
    import { tmpdir } from "node:os";
    import { join } from "node:path";
    const directory = mkdtempSync(join(tmpdir(), "shardbus-shutdown-"));
    const bus = makeBus({ n: 1 });
    bus.ingest({ n: 2 });
    process.on("exit", () => {
      for (const { id, body } of bus.drain()) writeFileSync(join(directory, id), body);
    });
    process.on("exit", () => {
      console.log(bus.stats().drained);
      for (const id of readdirSync(directory)) {
        console.log(readFileSync(join(directory, id), "utf8"));
      }
      rmSync(directory, { recursive: true });
    });
    process.exit();
  `);
  assert.equal(output, '2\n{"n":1}\n{"n":2}\n');
});

test("events offered while a server closes are delivered, if `before` closes it", async () => {
  const { end, output } = await signalled(`${setUp}
    const bus = makeBus("first");
    const before = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log(bus.ingest("last"));
    };
    installShutdownHooks(bus, { before });
    keepRunning();
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: "SIGTERM", output: "true\nfirst last\n" });
});

test("an event that an `http.Server` offers while it closes is delivered, with the `before` of the docs", async () => {
  const { end, output } = await signalled(`${setUp}
    import { createServer, get } from "node:http";
    const bus = makeBus("first");
    const server = createServer((_, response) => {
      console.log("ready");
      server.once("close", () => console.log("closed"));
      setTimeout(() => response.end(String(bus.ingest("last"))), 50);
    });
    installShutdownHooks(bus, { before: () => server[Symbol.asyncDispose]() });
    server.listen(0, "127.0.0.1", () => {
      get({ port: server.address().port, host: "127.0.0.1", agent: false }).on("response", (response) => response.resume());
    });
  `);
  assert.deepEqual({ end, output }, { end: "SIGTERM", output: "closed\nfirst last\n" });
});

test("events that a program's own listener offers before it closes the bus are delivered", async () => {
  const { end, output } = await signalled(`${setUp}
    const bus = makeBus("first");
    installShutdownHooks(bus);
    const running = keepRunning();
    process.on("SIGTERM", async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      console.log(bus.ingest("last"));
      await bus.close();
      clearInterval(running);
    });
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: 0, output: "true\nfirst last\n" });
});

test("a program whose own listener closes no bus has it closed by the hooks", async () => {
  const { end, output } = await signalled(`${setUp}
    installShutdownHooks(makeBus("delivered", (batch) => (print(batch), process.exit(7))), { timeoutMs: 100 });
    keepRunning();
    process.on("SIGTERM", () => console.log("heard"));
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: 7, output: "heard\ndelivered\n" });
});

for (const [what, before] of Object.entries({
  fails: `() => { throw new Error("broken"); }`,
  "never ends": "() => new Promise(() => {})",
})) {
  test(`a \`before\` that ${what} keeps no bus from being closed`, async () => {
    const { end, output } = await signalled(`${setUp}
      installShutdownHooks(makeBus("delivered"), { timeoutMs: 500, before: ${before} });
      keepRunning();
      console.log("ready");
    `);
    assert.equal(end, "SIGTERM");
    assert.include(output, "delivered\n");
    if (what === "fails") assert.include(output, "Error: broken");
  });
}

test("many buses are no reason for a warning", async () => {
  const { end, output } = await signalled(`${setUp}
    for (let i = 0; i < 20; i++) installShutdownHooks(makeBus("one"));
    const takeAway = installShutdownHooks(makeBus("taken away"));
    takeAway();
    keepRunning();
    console.log("ready");
  `);
  assert.deepEqual({ end, output }, { end: "SIGTERM", output: "one\n".repeat(20) });
});

test("hooks in a worker thread throw an error with the remedy", async () => {
  const output = await run(`
    import { Worker } from "node:worker_threads";
    const program = \`
      import { installShutdownHooks } from "shardbus/shutdown";
      try {
        installShutdownHooks({ close: async () => {} });
      } catch (error) {
        console.log(error.code, error.message);
      }
    \`;
    new Worker(new URL("data:text/javascript," + encodeURIComponent(program.replaceAll("shardbus/shutdown", import.meta.resolve("shardbus/shutdown")))));
  `);
  assert.match(output, /^ERR_INVALID_OPTION Signals reach the main thread only.*bus\.close\(\)/);
});

test("with the program of docs/shutdown.md, the workers of a cluster close their buses", async () => {
  const directory = await mkdtemp(join(tmpdir(), "shardbus-cluster-"));
  const page = await readFile(new URL("../../docs/shutdown.md", import.meta.url), "utf8");
  const [, program] = /```js in tests.js.shutdown.node.test.mjs\n(.*?)```/s.exec(page) ?? [];
  const file = join(directory, "program.mjs");
  const slowly =
    "async (batch) => { await new Promise((done) => setTimeout(done, 100)); print(batch); }";
  const source = `${setUp}
    import cluster from "node:cluster";
    if (cluster.isPrimary) {
      const workers = [cluster.fork(), cluster.fork()];
      await Promise.all(workers.map((worker) => new Promise((done) => worker.once("message", done))));
    }
    const bus = cluster.isWorker ? makeBus("delivered", ${slowly}) : undefined;
    ${program}
    keepRunning();
    if (cluster.isWorker) process.send("ready");
    else console.log("ready");
  `;
  const here = source.replaceAll(
    /"(shardbus[^"]*)"/g,
    (_, name) => `"${import.meta.resolve(name)}"`,
  );
  await writeFile(file, here);
  try {
    const primary = `process.argv[1] = ${JSON.stringify(file)}; await import(process.argv[1]);`;
    const { end, output } = await signalled(primary);
    assert.deepEqual({ end, output }, { end: "SIGTERM", output: "delivered\n".repeat(2) });
  } finally {
    await rm(directory, { recursive: true });
  }
});

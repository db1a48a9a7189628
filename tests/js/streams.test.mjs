// Streams and loops: a full bus makes them wait, and unacknowledged batches come again.
import { DeliveryError, EventBus } from "shardbus";
import { pullBus, writableTo } from "shardbus/streams";
import {
  accountedStats,
  assert,
  deferred,
  eventually,
  HOUR_MS,
  it,
  quickRetry,
  within,
} from "./harness.mjs";

const soon = () => new Promise((resolve) => setTimeout(resolve, 1));

/** A stream of numbered events, and the most bytes that the bus held when one was asked for. */
function numbered(count, bus) {
  let n = 0;
  const seen = { held: 0 };
  const readable = new ReadableStream({
    pull(controller) {
      seen.held = Math.max(seen.held, bus.stats().bytes.held);
      if (n === count) controller.close();
      else controller.enqueue({ n: n++, pad: "x".repeat(100) });
    },
  });
  return { readable, seen };
}

for (const scheduler of ["auto", "manual"]) {
  for (const backpressure of ["drop-oldest", "drop-newest", "fail-producer", { sample: 10 }]) {
    const policy = JSON.stringify(backpressure);
    it(`a stream waits for room, and loses nothing: ${scheduler}, ${policy}`, async () => {
      const maxBytes = 64 << 10;
      const found = [];
      const bus = new EventBus(
        async (batch) => {
          found.push(...batch.events().map(({ n }) => n));
          await soon();
        },
        { backpressure, scheduler, maxBytes, maxEventBytes: 1 << 10, batch: { maxSize: 100 } },
      );
      const { readable, seen } = numbered(1000, bus);
      await readable.pipeTo(writableTo(bus));
      assert.deepEqual(
        found,
        Array.from({ length: 1000 }, (_, n) => n),
      );
      const { offered, delivered } = accountedStats(bus);
      assert.deepEqual([offered, delivered], [1000, 1000], "no event is offered twice");
      assert.isAtMost(seen.held, maxBytes);
      await bus.close();
    });
  }
}

it("a stream of JSON texts goes in as it is", async () => {
  const found = [];
  const bus = new EventBus((batch) => void found.push(...batch));
  const writer = writableTo(bus, { raw: true }).getWriter();
  await writer.write('{ "n":0 }');
  await writer.write(new TextEncoder().encode("[1, 2]"));
  await writer.close();
  assert.deepEqual(found, ['{ "n":0 }', "[1, 2]"]);
  await bus.close();
});

it("an event that a bus cannot take fails the stream", async () => {
  const bus = new EventBus(() => {}, { onDrop() {} });
  const writer = writableTo(bus).getWriter();
  writer.closed.catch(() => {});
  const error = await writer.write(1n).catch((error) => error);
  assert.equal(error.code, "ERR_INVALID_EVENT");
  await bus.close();
});

it("a stream whose events are abandoned does not close as if they were delivered", async () => {
  const refuse = () => {
    throw new DeliveryError("no", { retryable: false });
  };
  const bus = new EventBus(refuse, { onDrop() {} });
  const writer = writableTo(bus).getWriter();
  writer.closed.catch(() => {});
  await writer.write(1);
  const error = await writer.close().catch((error) => error);
  assert.equal(error.code, "ERR_DELIVERY");
  await bus.close();
});

it("a stream whose events were abandoned before it closes fails too", async () => {
  const refuse = () => {
    throw new DeliveryError("no", { retryable: false });
  };
  const bus = new EventBus(refuse, { onDrop() {} });
  const writer = writableTo(bus).getWriter();
  writer.closed.catch(() => {});
  await writer.write(1);
  await bus.flush();
  const error = await writer.close().catch((error) => error);
  assert.equal(error.code, "ERR_DELIVERY");
  await bus.close();
});

it("a stream that is aborted waits neither for room nor for delivery", async () => {
  const never = () => new Promise(() => {});
  for (const meanwhile of ["write", "close"]) {
    const bus = new EventBus(never, { maxBytes: 64 << 10, maxEventBytes: 1 << 10, onDrop() {} });
    const writer = writableTo(bus).getWriter();
    writer.closed.catch(() => {});
    await writer.write(1);
    while (meanwhile === "write" && bus.isReady) bus.ingest("x".repeat(1000));
    const waiting = (meanwhile === "write" ? writer.write(2) : writer.close()).catch(
      (error) => error,
    );
    await soon();
    const reason = new Error("no longer wanted");
    writer.abort(reason).catch(() => {});
    assert.equal(await within(waiting, () => `${meanwhile} still waits`), reason);
    await bus.close({ timeoutMs: 0 });
  }
});

it("a pipe that is aborted does not wait for room, if the stream has its signal", async () => {
  const never = () => new Promise(() => {});
  const bus = new EventBus(never, { maxBytes: 64 << 10, maxEventBytes: 1 << 10, onDrop() {} });
  while (bus.isReady) bus.ingest("x".repeat(1000));
  const aborter = new AbortController();
  const { signal } = aborter;
  const source = new ReadableStream({ pull: (controller) => controller.enqueue(1) });
  const piped = source.pipeTo(writableTo(bus, { signal }), { signal }).catch((error) => error);
  await soon();
  const reason = new Error("no longer wanted");
  aborter.abort(reason);
  assert.equal(await within(piped, () => "the pipe still waits"), reason);
  await bus.close({ timeoutMs: 0 });
});

it("a stream whose signal is aborted fails at once, and takes no chunk", async () => {
  const bus = new EventBus(() => {});
  const reason = new Error("no longer wanted");
  const aborter = new AbortController();
  const open = writableTo(bus, { signal: aborter.signal }).getWriter();
  aborter.abort(reason);
  const late = writableTo(bus, { signal: aborter.signal }).getWriter();
  for (const writer of [open, late]) {
    const closed = writer.closed.catch((error) => error);
    assert.equal(await within(closed, () => "the stream is still open"), reason);
    assert.equal(await writer.write(1).catch((error) => error), reason);
  }
  await bus.close();
  assert.equal(bus.stats().offered, 0);
});

it("a stream into a closed bus fails", async () => {
  const bus = new EventBus(() => {});
  await bus.close();
  const writer = writableTo(bus).getWriter();
  writer.closed.catch(() => {});
  assert.equal((await writer.write(1).catch((error) => error)).code, "ERR_CLOSED");
});

const options = {
  scheduler: "auto",
  batch: { maxSize: 10, maxDelayMs: 1 },
  retry: quickRetry,
  onDrop() {},
};

it("a loop gets every batch once, and ends when the bus is closed", async () => {
  const bus = pullBus(EventBus, options);
  const found = [];
  const looped = (async () => {
    for await (const batch of bus) found.push(...batch.events());
  })();
  for (let n = 0; n < 100; n++) bus.ingest(n);
  await bus.close();
  await within(looped, () => "the loop does not end");
  assert.deepEqual(
    found,
    Array.from({ length: 100 }, (_, n) => n),
  );
  assert.equal(accountedStats(bus).delivered, 100);
});

it("a batch is delivered when the next one is asked for, and not before", async () => {
  const bus = pullBus(EventBus, options);
  for (let n = 0; n < 20; n++) bus.ingest(n);
  const loop = bus[Symbol.asyncIterator]();
  await loop.next();
  await soon();
  assert.equal(bus.stats().delivered, 0);
  await loop.next();
  assert.equal(bus.stats().delivered, 10);
  await loop.return();
  await bus.close({ timeoutMs: 0 });
});

it("a loop that is left in any way gives its batch back: the same id, the next attempt", async () => {
  const bus = pullBus(EventBus, { ...options, retry: { ...quickRetry, maxAttempts: 1 } });
  for (let n = 0; n < 10; n++) bus.ingest(n);
  const ids = new Set();
  const attempts = [];
  const note = ({ id, attempt }) => {
    ids.add(id);
    attempts.push(attempt);
  };
  const thrown = new Error("from the loop");
  const loops = async () => {
    for await (const batch of bus) {
      note(batch);
      break;
    }
    try {
      for await (const batch of bus) {
        note(batch);
        throw thrown;
      }
    } catch (error) {
      assert.equal(error, thrown);
    }
    for await (const batch of bus) {
      note(batch);
      batch.settle();
      break;
    }
  };
  await within(loops(), () => `the batch does not come again: ${attempts}`);
  assert.equal(ids.size, 1);
  assert.deepEqual(attempts, [1, 2, 3]);
  await bus.close();
  const { delivered, abandoned } = accountedStats(bus);
  assert.deepEqual([delivered, abandoned.retries], [10, 0]);
});

it("a loop answers for single events, or refuses the batch", async () => {
  const bus = pullBus(EventBus, options);
  for (let n = 0; n < 20; n++) bus.ingest(n);
  const looped = (async () => {
    for await (const batch of bus) {
      if (batch.sequence === 0) batch.settle({ rejected: [{ index: 3, error: new Error("bad") }] });
      else batch.fail(new DeliveryError("no", { retryable: false }));
    }
  })();
  await bus.close();
  await within(looped, () => "the loop does not end");
  const { delivered, abandoned } = accountedStats(bus);
  assert.deepEqual([delivered, abandoned.permanent], [9, 11]);
});

it("loops share the batches of several shards", async () => {
  const bus = pullBus(EventBus, { ...options, shards: 4, key: (n) => `${n % 16}` });
  for (let n = 0; n < 400; n++) bus.ingest(n);
  const found = [];
  const both = deferred();
  let running = 0;
  const loop = async () => {
    running++;
    for await (const batch of bus) {
      if (running === 2) both.resolve();
      found.push(...batch.events());
      await within(both.promise, () => "one loop has all batches");
    }
  };
  const loops = Promise.all([loop(), loop()]);
  await bus.close();
  await within(loops, () => "the loops do not end");
  assert.sameMembers(
    found,
    Array.from({ length: 400 }, (_, n) => n),
  );
});

it("a batch that nobody pulls waits, and does not fail", async () => {
  const bus = pullBus(EventBus, options);
  bus.ingest(1);
  await eventually(
    () => bus.stats().inFlight > 0,
    () => "no attempt begins",
  );
  for (let turn = 0; turn < 20; turn++) await soon();
  for await (const { attempt, signal } of bus) {
    assert.equal(attempt, 1);
    assert.isFalse(signal.aborted);
    break;
  }
  await bus.close({ timeoutMs: 0 });
});

it("a batch that was not pulled in its time is offered again, once", async () => {
  const bus = pullBus(EventBus, { ...options, timeoutMs: 20, batch: { maxDelayMs: HOUR_MS } });
  bus.ingest(1);
  const flushed = bus.flush();
  await eventually(
    () => bus.stats().batches.retries >= 2,
    () => `it is offered again ${bus.stats().batches.retries} times`,
  );
  const found = [];
  for await (const batch of bus) {
    found.push(batch.id);
    batch.settle();
    break;
  }
  await within(flushed, () => "it is not delivered");
  assert.lengthOf(found, 1);
  assert.equal(accountedStats(bus).delivered, 1);
  await bus.close();
});

it("a stream of batches that is cancelled while it waits takes no batch along", async () => {
  const bus = pullBus(EventBus, options);
  const loop = bus[Symbol.asyncIterator]();
  const waiting = loop.next();
  await loop.return();
  assert.isTrue((await within(waiting, () => "it still waits")).done);
  bus.ingest(1);
  const found = [];
  const looped = (async () => {
    for await (const batch of bus) found.push(...batch.events());
  })();
  await bus.close();
  await within(looped, () => "the loop does not end");
  assert.deepEqual(found, [1]);
});

// @ts-check
// A signal may live longer than the flush that it ends, as that of a whole service does: an ended
// flush must not stay referenced by it.
import { EventBus } from "shardbus";
import { assert, fail, hang, quickRetry, recorder, test } from "./harness.mjs";

/** A signal, and the listeners that it has. */
function watchedSignal() {
  const { signal } = new AbortController();
  /** @type {Set<unknown>} */
  const listeners = new Set();
  const { addEventListener, removeEventListener } = signal;
  /** @param {any[]} args */
  signal.addEventListener = (...args) => {
    listeners.add(args[1]);
    Reflect.apply(addEventListener, signal, args);
  };
  /** @param {any[]} args */
  signal.removeEventListener = (...args) => {
    listeners.delete(args[1]);
    Reflect.apply(removeEventListener, signal, args);
  };
  return { signal, listeners };
}

for (const scheduler of /** @type {const} */ (["auto", "manual"])) {
  test(`a signal that outlives flushes, and close, keeps no listener of theirs (${scheduler})`, async () => {
    const { signal, listeners } = watchedSignal();
    const sink = recorder([fail("no")], hang);
    const bus = new EventBus(sink.callback, { scheduler, retry: quickRetry, onDrop: () => {} });
    assert.equal((await bus.flush({ signal })).timedOut, false);
    assert.equal(listeners.size, 0, "nothing was to be sent");

    bus.ingest(1);
    const flushed = bus.flush({ signal });
    assert.equal(listeners.size, 1, "it listens while it waits");
    (await sink.calls(2))[1]?.release();
    assert.equal((await flushed).delivered, 1);
    assert.equal(listeners.size, 0, "all was sent");

    await bus.ready({ signal });
    assert.equal(listeners.size, 0, "there was room");

    bus.ingest(2);
    assert.isTrue((await bus.flush({ signal, timeoutMs: 5 })).timedOut);
    assert.equal(listeners.size, 0, "its time was up");

    const waiting = [bus.flush({ signal }), bus.flush({ signal })];
    assert.isTrue((await bus.close({ signal, timeoutMs: 5 })).timedOut);
    await Promise.all(waiting);
    assert.equal(listeners.size, 0, "the bus was closed");
    await bus.flush({ signal });
    await bus.close({ signal });
    assert.equal(listeners.size, 0, "it was closed before");
  });
}

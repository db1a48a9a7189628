// @ts-check
import { EventBus } from "shardbus";
import { httpSink } from "shardbus/sinks/http";
import { eventually, quickRetry } from "../js/harness.mjs";
import { startCollector } from "../runtimes/collector.mjs";

const EVENTS = 100;

/** The numbers that {@linkcode eventsThroughOutage} logs. */
export const numbers = Array.from({ length: EVENTS }, (_, n) => n);

/**
 * Logs numbers while the collector goes away and comes back, and returns the events that it got.
 *
 * @param {(bus: EventBus) => ((n: number) => unknown) | Promise<(n: number) => unknown>} makeLog
 */
export async function eventsThroughOutage(makeLog) {
  const before = await startCollector();
  const bus = new EventBus(httpSink(`http://127.0.0.1:${before.port}/`), {
    batch: { maxDelayMs: 1 },
    retry: quickRetry,
  });
  const log = await makeLog(bus);
  log(0);
  await before.nthEvent(1);
  await before.stop();
  for (const n of numbers.slice(1)) log(n);
  await eventually(
    () => bus.stats().lastError !== undefined,
    () => "no attempt fails, although the collector is away",
  );
  const afterwards = await startCollector(before.port);
  try {
    await bus.close({ timeoutMs: 30_000 });
    return [...before.events(), ...afterwards.events()];
  } finally {
    await afterwards.stop();
  }
}

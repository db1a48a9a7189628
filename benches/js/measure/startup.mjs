// The time until a bus has its first event, until the turn after that has ended, and until the event is
// sent, in a process that has done nothing else.

import { cpuMicroseconds, job, nextTurn } from "./job.mjs";

await job(async ({ module }) => {
  const cpu = cpuMicroseconds();
  const start = performance.now();
  const cpuMs = () => (cpuMicroseconds() - cpu) / 1000;
  const { EventBus } = await import(module === "empty" ? "./empty.mjs" : module);
  const bus = EventBus && new EventBus(() => {});
  bus?.ingest({ type: "first" });
  const first = { ms: performance.now() - start, cpuMs: cpuMs() };
  await nextTurn();
  const turnCpuMs = cpuMs();
  await bus?.flush();
  return { ...first, turnCpuMs, sentCpuMs: cpuMs() };
});

// The time until a bus has its first event, in a process that has done nothing else.

import { cpuMicroseconds, job } from "./job.mjs";

await job(async ({ module }) => {
  const cpu = cpuMicroseconds();
  const start = performance.now();
  const { EventBus } = await import(module === "empty" ? "./empty.mjs" : module);
  if (EventBus !== undefined) new EventBus(() => {}).ingest({ type: "first" });
  return { ms: performance.now() - start, cpuMs: (cpuMicroseconds() - cpu) / 1000 };
});

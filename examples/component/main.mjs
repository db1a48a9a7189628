// A bus in Node as a component: `jco transpile` makes JavaScript of it. The npm package `shardbus`
// is faster and needs no host loop; this is for programs that are put together of components.
//
//     cargo xtask component --run node
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { eventBus } from "../../target/component/js/core.js";

const now = () => process.hrtime.bigint();
const bus = eventBus.Bus.create({ maxBytes: 1 << 20 }, randomBytes(8).readBigUInt64LE());
const url = process.env.COLLECTOR;

/** Sends a batch. Returns nothing, or the failure. */
async function failure({ head, body }, ms) {
  try {
    const { ok, status } = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson", "idempotency-key": head.id },
      body,
      signal: AbortSignal.timeout(ms),
    });
    if (ok) return undefined;
    if ([408, 425, 429, 502, 503, 504].includes(status)) return { tag: "unavailable", val: 0n };
    return status >= 500 ? { tag: "refused", val: 0n } : { tag: "permanent" };
  } catch {
    return { tag: "unavailable", val: 0n };
  }
}

async function flush() {
  const flush = bus.beginFlush();
  while (bus.flushReport(flush).pending > 0n) {
    const { tag, val } = bus.poll(now());
    if (tag === "send") {
      const failed = await failure(val.batch, Number((val.deadline - now()) / 1_000_000n));
      if (failed === undefined) bus.acknowledge(val.id, now());
      else bus.fail(val.id, failed, now());
    } else if (tag === "abandoned") {
      console.error(`${val.batch.head.count} events are lost: ${val.reason}`);
    } else if (tag === "wait-until") {
      await sleep(Math.max(0, Number((val - now()) / 1_000_000n)));
    }
  }
  const report = bus.flushReport(flush);
  bus.endFlush(flush);
  return report;
}

const encoder = new TextEncoder();
bus.setClock(BigInt(Date.now()) * 1_000_000n);
for (let n = 0; n < 1001; n++) {
  bus.ingest(encoder.encode(JSON.stringify({ type: "click", n })), undefined);
}
bus.close();
const { delivered, abandoned } = await flush();
console.log(`delivered ${delivered}, abandoned ${abandoned}`);

// @ts-check

// A process with a store, which tests kill. It says which events its bus has accepted, and when; or,
// in the last run, the number of events delivered. With `much`, it offers more than its memory is
// for.
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { offerMuch, produce, sendTo } from "./traffic.mjs";

const [directory = "", url = "", task] = process.argv.slice(2);
const bus = new EventBus(sendTo(url), {
  ...(task === "much" && { maxBytes: 1 << 20 }),
  store: fileStore(directory),
});

process.on("disconnect", () => process.exit());
if (task !== "last") {
  const ingest = (/** @type {{ n: number }} */ event) => {
    const isAccepted = bus.ingest(event);
    process.send?.({ n: event.n, at: Date.now() });
    return isAccepted;
  };
  if (task === "much") await offerMuch({ ingest, ready: () => bus.ready() });
  else produce({ ingest }, 200);
} else {
  await bus.flush();
  await bus.close();
  process.send?.(bus.stats().delivered, () => process.disconnect());
}

// @ts-check

// A process with a store, which killed.test.mjs kills. It says which events its bus has accepted, and
// when; or, in the last run, the number of events delivered.
import { EventBus } from "shardbus";
import { fileStore } from "shardbus/stores/fs";
import { produce, sendTo } from "./traffic.mjs";

const [directory = "", url = "", isLast] = process.argv.slice(2);
const bus = new EventBus(sendTo(url), { store: fileStore(directory) });

process.on("disconnect", () => process.exit());
if (isLast === undefined) {
  const ingest = (/** @type {{ n: number }} */ event) => {
    bus.ingest(event);
    process.send?.({ n: event.n, at: Date.now() });
  };
  produce({ ingest }, 200);
} else {
  await bus.flush();
  await bus.close();
  process.send?.(bus.stats().delivered, () => process.disconnect());
}

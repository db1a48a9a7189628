// What a CommonJS module finds.
import { EventBus } from "shardbus";
import { EventBus as JsBus } from "shardbus/js";
import { installShutdownHooks } from "shardbus/shutdown";
import { r2Sink } from "shardbus/sinks/r2";
import { fileStore } from "shardbus/stores/fs";

export const bus: EventBus = new JsBus(r2Sink({ put: async () => {} }), {
  store: fileStore("outbox"),
});
installShutdownHooks([bus, new EventBus(() => {})]);

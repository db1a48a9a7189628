// @ts-check
import { createLogger, initLogger, log } from "evlog";
import { evlogDrain } from "shardbus/evlog";
import { assert, test } from "../js/harness.mjs";
import { eventsThroughOutage, numbers } from "./outage.mjs";

test("every wide event arrives through an outage, and in order", async () => {
  const found = await eventsThroughOutage((bus) => {
    initLogger({ env: { service: "shop" }, silent: true, drain: evlogDrain(bus) });
    return (n) => {
      const event = createLogger({ n });
      event.set({ user: { id: "ada" } });
      event.emit();
    };
  });
  assert.deepEqual(
    found.map(({ n }) => n),
    numbers,
  );
  assert.deepInclude(found[0], { service: "shop", level: "info", user: { id: "ada" } });
});

test("simple logs are events too, and so are several contexts at once", async () => {
  /** @type {any[]} */
  const events = [];
  const drain = evlogDrain({ ingest: (event) => events.push(event) > 0 });
  initLogger({ silent: true, drain });
  log.warn("disk", "nearly full");
  drain([{ event: { n: 1 } }, { event: { n: 2 } }]);
  assert.deepInclude(events[0], { level: "warn", tag: "disk", message: "nearly full" });
  assert.deepEqual(events.slice(1), [{ n: 1 }, { n: 2 }]);
});

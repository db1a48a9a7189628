// A page as happy-dom makes it.
import { EventBus as WasmBus } from "shardbus";
import { EventBus as JsBus } from "shardbus/js";
import { httpSink } from "shardbus/sinks/http";
import { expect, test, vi } from "vitest";

test.each([
  ["shardbus", WasmBus],
  ["shardbus/js", JsBus],
])("%s: a page that is hidden sends what is there", async (_, EventBus) => {
  const delivered = [];
  const bus = new EventBus((batch) => delivered.push(...batch.events()), {
    batch: { maxDelayMs: 3_600_000 },
  });
  bus.ingest("a");
  vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  expect(delivered).toEqual(["a"]);
  await bus.close();
  vi.restoreAllMocks();
});

test("the HTTP sink takes the page's `fetch`", async () => {
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response());
  const bus = new WasmBus(httpSink("https://collector.example/events"));
  bus.ingest("a");
  expect((await bus.close()).delivered).toBe(1);
  expect(fetched).toHaveBeenCalledOnce();
  vi.restoreAllMocks();
});

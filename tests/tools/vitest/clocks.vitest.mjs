// Buses under Vitest's fake clock.
import { EventBus as WasmBus } from "shardbus";
import { EventBus as JsBus } from "shardbus/js";
import { describe, test, vi } from "vitest";
import clocks from "../clocks/checks.cjs";

/** @type {import("../clocks/checks.cjs").Fake} */
const fake = {
  install: () => vi.useFakeTimers(),
  advance: (ms) => vi.advanceTimersByTimeAsync(ms),
  runAll: () => vi.runAllTimers(),
  forget: () => vi.clearAllTimers(),
  uninstall: () => vi.useRealTimers(),
};

describe.each([
  ["shardbus", WasmBus],
  ["shardbus/js", JsBus],
])("%s", (_, EventBus) => {
  for (const holds of clocks.names) {
    test(holds, () => clocks.run(holds, EventBus, fake), 60_000);
  }
});

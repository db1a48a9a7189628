// Buses under Jest's fake clock.
const { names, run } = require("../clocks/checks.cjs");

const fake = {
  install: () => jest.useFakeTimers(),
  advance: (ms) => jest.advanceTimersByTimeAsync(ms),
  runAll: () => jest.runAllTimers(),
  forget: () => jest.clearAllTimers(),
  uninstall: () => jest.useRealTimers(),
};

for (const entry of ["shardbus", "shardbus/js"]) {
  describe(entry, () => {
    const { EventBus } = require(entry);
    for (const holds of names) test(holds, () => run(holds, EventBus, fake), 60_000);
  });
}

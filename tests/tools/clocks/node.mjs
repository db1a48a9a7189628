// Runs the checks under one of Node's fake clocks: those of sinon, and that of `node:test`. A program of
// its own, as a test runner loses reports while `process.nextTick` is faked.
//
//     node clocks/node.mjs NAME
import { mock } from "node:test";
import fakeTimers from "@sinonjs/fake-timers";
import { EventBus as WasmBus } from "shardbus";
import { EventBus as JsBus } from "shardbus/js";
import sinon from "sinon";
import clocks from "./checks.cjs";

/** @typedef {import("./checks.cjs").Fake} Fake */

/** sinon's, which fakes everything that there is. @returns {Fake} */
function withSinon() {
  /** @type {any} */
  let clock;
  return {
    install: () => {
      clock = sinon.useFakeTimers();
    },
    advance: (ms) => clock.tickAsync(ms),
    runAll: () => clock.runAll(),
    forget: () => clock.reset(),
    uninstall: () => clock.restore(),
  };
}

/** The library below sinon, faking these alone. @param {any} config @returns {Fake} */
function withFakeTimers({ isPartial = false, ...config }) {
  /** @type {any} */
  let clock;
  return {
    install: () => {
      clock = fakeTimers.install(config);
    },
    advance: (ms) => clock.tickAsync(ms),
    runAll: () => clock.runAllAsync(),
    forget: () => clock.reset(),
    uninstall: () => clock.uninstall(),
    isPartial,
  };
}

/** Node's, which fakes no `performance.now`. @param {any} [options] @returns {Fake} */
const withNode = (options) => ({
  install: () => mock.timers.enable(options),
  advance: (ms) => mock.timers.tick(ms),
  runAll: () => mock.timers.runAll(),
  uninstall: () => mock.timers.reset(),
  isPartial: true,
});

/** @type {Record<string, Fake>} */
const fakes = {
  sinon: withSinon(),
  "@sinonjs/fake-timers, at today's date": withFakeTimers({ now: Date.now() }),
  "@sinonjs/fake-timers, timers alone": withFakeTimers({
    toFake: ["setTimeout", "clearTimeout"],
    isPartial: true,
  }),
  "node:test": withNode(),
  "node:test, timers alone": withNode({ apis: ["setTimeout"] }),
};

const fake = fakes[process.argv[2]];
for (const [entry, EventBus] of Object.entries({ shardbus: WasmBus, "shardbus/js": JsBus })) {
  for (const holds of clocks.names) {
    try {
      await clocks.run(holds, EventBus, fake);
    } catch (error) {
      process.exitCode = 1;
      console.log(`${entry}: it does not hold that ${holds}:`, error);
    }
  }
}

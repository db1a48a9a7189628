// @ts-check
import { SingleBar } from "cli-progress";

/**
 * @typedef {object} Progress
 * @property {(count: number) => void} add counts events as delivered
 * @property {() => void} stop ends the display; must be called, else the bar's timer keeps running
 */

/**
 * A progress bar on a terminal, one line for every 10 % elsewhere.
 *
 * @param {number} total
 * @returns {Progress}
 */
export function startProgress(total) {
  return process.stdout.isTTY && !process.env.CI ? bar(total) : lines(total);
}

/** @param {number} total @returns {Progress} */
function bar(total) {
  const single = new SingleBar({
    format: "{bar} {percentage} %  {value} of {total} delivered",
    barCompleteChar: "█",
    barIncompleteChar: "░",
    formatValue: (value, _options, type) =>
      type === "value" || type === "total" ? value.toLocaleString("en-US") : String(value),
    // Nothing that must be undone at the end: Ctrl-C can then end the process as it always does.
    gracefulExit: false,
    linewrap: true,
    stream: process.stdout,
  });
  single.start(total, 0);
  return { add: (count) => single.increment(count), stop: () => single.stop() };
}

/** @param {number} total @returns {Progress} */
function lines(total) {
  let delivered = 0;
  let shown = 0;
  return {
    add(count) {
      delivered += count;
      const tenths = Math.floor((delivered / total) * 10);
      if (tenths === shown) return;
      shown = tenths;
      const percent = String(tenths * 10).padStart(3);
      console.log(`${percent} %  ${delivered.toLocaleString("en-US")} delivered`);
    },
    stop() {},
  };
}

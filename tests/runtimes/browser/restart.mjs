// @ts-check

// A browser that is started again if it crashes.

/** @typedef {import("./puppeteer.mjs").Browser} Browser */

/** @param {() => Promise<Browser>} launch */
export async function startBrowser(launch) {
  let browser = await launch();
  return {
    version: browser.version,
    /** @type {Browser["open"]} */
    open: (url) => browser.open(url),
    stop: () => browser.stop(),
    /**
     * Runs a task, and once more if the browser crashes in the middle of it.
     *
     * @template T
     * @param {() => Promise<T>} task
     * @param {(error: unknown) => unknown} onCrash called before the browser is started again
     */
    async run(task, onCrash) {
      try {
        return await task();
      } catch (error) {
        if (!(await browser.isLost())) throw error;
        await onCrash(error);
        await browser.stop();
        browser = await launch();
        return task();
      }
    },
  };
}

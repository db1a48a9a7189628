// @ts-check

// Chromium and Firefox, driven by Puppeteer.
import { readFile } from "node:fs/promises";
import puppeteer from "puppeteer-core";
import { within } from "../../js/harness.mjs";

/**
 * A browser under test.
 *
 * @typedef {object} Browser
 * @property {string} version
 * @property {() => Promise<boolean>} isLost whether it has crashed, after a call that failed
 * @property {(url: string) => Promise<Tab>} open opens a page in a tab of its own, in front
 * @property {() => Promise<void>} stop
 */

/**
 * @typedef {object} Tab
 * @property {(method: string, ...args: unknown[]) => Promise<any>} call calls a function of `page.mjs`
 * @property {(url: string) => Promise<void>} goto
 * @property {() => Promise<unknown>} back goes back to the page before; resolves at once
 * @property {() => Promise<void>} hide hides the page, as when the user switches to another tab
 * @property {() => Promise<void>} show
 * @property {((isOffline: boolean) => Promise<void>) | undefined} setOffline takes the network away, or
 * gives it back, and tells the page; where the engine can be told to
 * @property {() => Promise<void>} close
 */

/** The source of a call of a function of `page.mjs`. @param {string} method @param {unknown[]} args */
export const callSource = (method, args) =>
  `page.${method}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`;

export const launchChromium = async () => launch(await chromiumOptions());

/** As `webdriver.json` says for wasm-bindgen's tests too. */
export async function chromiumOptions() {
  const text = await readFile(new URL("../../../webdriver.json", import.meta.url), "utf8");
  const { binary, args } = JSON.parse(text)["goog:chromeOptions"];
  return { executablePath: binary, args };
}

export const launchFirefox = () =>
  launch({ browser: "firefox", executablePath: "/usr/bin/firefox-esr" });

/**
 * @param {import("puppeteer-core").LaunchOptions} options
 * @returns {Promise<Browser>}
 */
async function launch(options) {
  const browser = await puppeteer.launch(options);
  // It is there all the time: a browser without tabs might end.
  const background = await browser.newPage();
  return {
    version: await browser.version(),
    // Asked, because Firefox's connection fails before it counts as closed.
    isLost: () =>
      within(background.evaluate("0"), () => "the browser does not answer").then(
        () => false,
        () => true,
      ),
    async open(url) {
      const page = await browser.newPage();
      await page.goto(url);
      return {
        call: (method, ...args) => page.evaluate(callSource(method, args)),
        async goto(url) {
          await page.goto(url);
        },
        async back() {
          // Of Firefox, Puppeteer wants to hear that the page is loaded, and not that it is restored.
          if (options.browser === "firefox")
            await page.evaluate("void setTimeout(() => history.back())");
          else await page.goBack();
        },
        hide: () => background.bringToFront(),
        show: () => page.bringToFront(),
        // Firefox cannot.
        setOffline: options.browser ? undefined : (isOffline) => page.setOfflineMode(isOffline),
        close: () => page.close(),
      };
    },
    stop: () => browser.close(),
  };
}

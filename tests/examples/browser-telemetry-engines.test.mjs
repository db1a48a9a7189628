// @ts-check
// The page in every engine: a missing API must not keep it from sending.
import { startServer } from "../../examples/browser-telemetry/server.mjs";
import { eventually, test } from "../js/harness.mjs";
import { launchChromium, launchFirefox } from "../runtimes/browser/puppeteer.mjs";
import { launchWebKit } from "../runtimes/browser/webkit.mjs";

const PATIENCE_MS = 30_000;

for (const [engine, launch] of Object.entries({
  Chromium: launchChromium,
  Firefox: launchFirefox,
  WebKit: launchWebKit,
})) {
  test(`views and vitals arrive: ${engine}`, async () => {
    const server = await startServer();
    const browser = await launch();
    /** Waits until the collector has such an event. @param {(event: any) => boolean} isIt @param {string} what */
    const arrived = (isIt, what) => {
      const { collector } = server;
      return eventually(
        () => collector.events.some(isIt),
        () => `no ${what} arrives; there are ${JSON.stringify(collector.events)}`,
        PATIENCE_MS,
      );
    };
    try {
      const tab = await browser.open(server.url);
      await arrived(({ name }) => name === "TTFB", "vital");
      await tab.goto(`${server.url}pricing`);
      await arrived(({ type, path }) => type === "view" && path === "/pricing", "second view");
      await tab.goto("about:blank");
      await tab.close();
    } finally {
      await browser.stop();
      await server.stop();
    }
  });
}

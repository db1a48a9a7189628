// @ts-check
// Counts the demo's frames in Chromium at 2,000 events a second, on this machine and on one with a
// quarter of its speed: `node tests/demo/frames.mjs`.
import puppeteer from "puppeteer-core";
import { chromiumOptions } from "../runtimes/browser/puppeteer.mjs";
import { startSite } from "./demo.mjs";

const SECONDS = 8;

const site = await startSite();
const browser = await puppeteer.launch(await chromiumOptions());
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(site.url);
  await page.waitForSelector('input[name="rate"][value="2000"]');
  await page.click('input[name="rate"][value="2000"] + span');
  for (const slowdown of [1, 4]) {
    await page.emulateCPUThrottling(slowdown);
    const pauses = await page.evaluate(async (seconds) => {
      const frame = () => new Promise(requestAnimationFrame);
      /** @type {number[]} */
      const pauses = [];
      // Not the first second, in which code is compiled.
      for (let i = 0; i < 30; i++) await frame();
      let last = await frame();
      for (const end = last + seconds * 1000; last < end; ) {
        const now = await frame();
        pauses.push(now - last);
        last = now;
      }
      return pauses.sort((a, b) => a - b);
    }, SECONDS);
    const rate = (pauses.length / SECONDS).toFixed(1);
    const slow = pauses.at(Math.floor(pauses.length * 0.95))?.toFixed(0);
    console.log(`${slowdown}× slower: ${rate} frames a second, 95 % of them within ${slow} ms`);
  }
} finally {
  await browser.close();
  await site.stop();
}

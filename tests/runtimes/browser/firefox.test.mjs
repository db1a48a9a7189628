// @ts-check
import { testPages } from "./pages.mjs";
import { launchFirefox } from "./puppeteer.mjs";

testPages(launchFirefox, {
  "is closed": "Firefox drops about half of what a tab fetches while it is closed",
});

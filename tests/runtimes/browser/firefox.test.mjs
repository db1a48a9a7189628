// @ts-check
import { skips } from "../../skips.mjs";
import { testPages } from "./pages.mjs";
import { launchFirefox } from "./puppeteer.mjs";

testPages(launchFirefox, {
  "is closed": skips.firefoxClosed,
});

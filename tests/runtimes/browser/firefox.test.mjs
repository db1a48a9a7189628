// @ts-check
import { testPages } from "./pages.mjs";
import { launchFirefox } from "./puppeteer.mjs";

testPages(launchFirefox);

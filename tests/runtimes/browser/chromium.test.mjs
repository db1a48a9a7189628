// @ts-check
import { testPages } from "./pages.mjs";
import { launchChromium } from "./puppeteer.mjs";

testPages(launchChromium);

// @ts-check
import { launchChromium } from "../runtimes/browser/puppeteer.mjs";
import { testDemo } from "./demo.mjs";

testDemo(launchChromium);

// @ts-check
import { launchFirefox } from "../runtimes/browser/puppeteer.mjs";
import { testDemo } from "./demo.mjs";

testDemo(launchFirefox);

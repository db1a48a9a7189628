// @ts-check
import { launchWebKit } from "../runtimes/browser/webkit.mjs";
import { testDemo } from "./demo.mjs";

testDemo(launchWebKit);

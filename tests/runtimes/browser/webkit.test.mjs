// @ts-check
import { testPages } from "./pages.mjs";
import { launchWebKit } from "./webkit.mjs";

testPages(launchWebKit);

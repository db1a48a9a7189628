// @ts-check
import { EventBus } from "shardbus";
import { BatchList } from "./batches.js";
import { Panel } from "./panel.js";
import { collect, options, send } from "./telemetry.js";

const batches = new BatchList();
const bus = new EventBus(batches.watch(send), {
  ...options,
  onDrop: ({ batch }) => batch && batches.lost(batch),
});
collect(bus);
new Panel(bus).start();

// The views are all this page, where the browser has the Navigation API: it stays, and the bus with it.
const { navigation } = globalThis;
navigation?.addEventListener("navigate", (event) => {
  if (event.canIntercept && !event.hashChange) event.intercept();
});
const markView = () => {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
};
navigation?.addEventListener("navigatesuccess", markView);
markView();

document.querySelector("#burst")?.addEventListener("click", () => {
  for (let n = 0; n < 1000; n++) bus.ingest({ type: "burst", n });
});

const collector = document.querySelector("fieldset");
collector?.addEventListener("change", ({ target }) => {
  if (target instanceof HTMLInputElement)
    fetch("/collector", { method: "PUT", body: target.value });
});
// A page that is loaded again finds the collector as it says.
fetch("/collector", { method: "PUT", body: "up" });

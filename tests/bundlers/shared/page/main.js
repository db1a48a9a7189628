// A page with a bus, a web worker with one, and a service worker with one.
import { EventBus } from "shardbus";
import { send } from "./send.js";

const collector = new URL(location.href).searchParams.get("collector");

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
worker.postMessage(collector);

navigator.serviceWorker.register("/service-worker.js", { type: "module" });
navigator.serviceWorker.ready.then(({ active }) => active.postMessage(collector));

await send(EventBus, collector, "page");

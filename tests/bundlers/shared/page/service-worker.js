import { EventBus } from "shardbus";
import { send } from "./send.js";

self.addEventListener("message", (event) => {
  event.waitUntil(send(EventBus, event.data, "service worker"));
});

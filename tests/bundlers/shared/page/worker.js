import { EventBus } from "shardbus";
import { send } from "./send.js";

self.addEventListener("message", ({ data }) => send(EventBus, data, "worker"));

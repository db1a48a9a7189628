// A Worker whose requests send.
import { EventBus } from "shardbus";
import { send } from "./send.js";

export default {
  async fetch(request) {
    const collector = new URL(request.url).searchParams.get("collector");
    await send(EventBus, collector, "request");
    return new Response("sent");
  },
};

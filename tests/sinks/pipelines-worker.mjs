// Sends the events of a request to both of its pipelines.
import { env } from "cloudflare:workers";
import { EventBus } from "shardbus";
import { cloudflarePipelinesSink } from "shardbus/sinks/cloudflare-pipelines";

const buses = [env.CLICKS, env.FORGETFUL].map((it) => new EventBus(cloudflarePipelinesSink(it)));

export default {
  async fetch(request) {
    const events = await request.json();
    const delivered = [];
    for (const bus of buses) {
      bus.ingestBatch(events);
      delivered.push((await bus.flush()).delivered);
    }
    return Response.json({ delivered });
  },
};

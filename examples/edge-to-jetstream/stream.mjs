// @ts-check
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";

/** @typedef {Awaited<ReturnType<typeof createStream>>} Stream */

/**
 * Makes the stream, in which each shard of a producer has a subject, and the group: one durable
 * consumer for all who take from it.
 *
 * @param {import("@nats-io/transport-node").NatsConnection} connection
 */
export async function createStream(connection) {
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "flights", subjects: ["flights.*.*"] });
  await manager.consumers.add("flights", {
    durable_name: "collector",
    ack_policy: AckPolicy.Explicit,
    // Longer than a consumer takes for its messages, retries included; after it, other consumers
    // get them.
    ack_wait: nanos(10_000),
    max_ack_pending: 10_000,
  });
  return {
    /** The messages in the stream, and those that the group has still to hand on. */
    async look() {
      const [{ state }, group] = await Promise.all([
        manager.streams.info("flights", { subjects_filter: ">" }),
        manager.consumers.info("flights", "collector"),
      ]);
      return {
        messages: state.messages,
        subjects: state.subjects ?? {},
        pending: group.num_pending,
        unacknowledged: group.num_ack_pending,
        redelivered: group.num_redelivered,
      };
    },
  };
}

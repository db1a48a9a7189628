// The built package, by each of its ways in.

import { EventBus } from "shardbus";

const keyOf = (event) => event.user;

/** A bus whose batches have the size that the others have, and that fails rather than lose an event. */
export function makeBus({ batchSize, deliver }, options = {}) {
  return new EventBus((batch) => deliver(batch.body), {
    maxBytes: 32 << 20,
    backpressure: "fail-producer",
    batch: { maxSize: batchSize, adaptive: false },
    ...options,
  });
}

/** Feeds a bus through one of its methods, an event at a time. */
function by(method, options) {
  return (context) => {
    const bus = makeBus(context, options);
    return { push: (event) => bus[method](event), finish: () => bus.close() };
  };
}

function inArrays(context) {
  const bus = makeBus(context);
  let events = [];
  const offer = () => {
    const { rejected } = bus.ingestBatch(events);
    if (rejected > 0) throw new Error(`${rejected} events were rejected`);
    events = [];
  };
  return {
    push(event) {
      events.push(event);
      if (events.length >= context.batchSize) offer();
    },
    finish() {
      offer();
      return bus.close();
    },
  };
}

const object = { group: "shardbus", input: "object" };

export const shardbus = {
  "shardbus-ingest": { ...object, about: "ingest(object)", create: by("ingest") },
  "shardbus-emit": { ...object, about: "emit(object)", create: by("emit") },
  "shardbus-emit-json": {
    ...object,
    about: 'emit(object), format "json"',
    create: by("emit", { format: "json" }),
  },
  "shardbus-ingest-batch": { ...object, about: "ingestBatch of 500", create: inArrays },
  "shardbus-ingest-raw": {
    group: "shardbus",
    input: "text",
    about: "ingestRaw(string)",
    create: by("ingestRaw"),
  },
  "shardbus-ingest-raw-bytes": {
    group: "shardbus",
    input: "bytes",
    about: "ingestRaw(Uint8Array)",
    create: by("ingestRaw"),
  },
  "shardbus-keyed": {
    ...object,
    about: "ingest(object) with a key",
    create: by("ingest", { key: keyOf }),
  },
  "shardbus-8-shards": {
    ...object,
    about: "ingest(object) with a key",
    create: by("ingest", { key: keyOf, shards: 8 }),
  },
  "shardbus-64-shards": {
    ...object,
    about: "ingest(object) with a key",
    create: by("ingest", { key: keyOf, shards: 64 }),
  },
};

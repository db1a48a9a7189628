import type { Attributes, BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import type { BusStats } from "./stats.js";

/** The subject of the observation: an `EventBus`. */
export interface Observed {
  stats(): BusStats;
}

/**
 * Observes a bus with instruments of OpenTelemetry. Its statistics are read when the meter's reader
 * collects, and at no other time. Returns a function that ends it.
 *
 * | instrument | unit | attribute | |
 * | --- | --- | --- | --- |
 * | `shardbus.events.offered` | `{event}` | | counter |
 * | `shardbus.events.accepted` | `{event}` | | counter |
 * | `shardbus.events.delivered` | `{event}` | | counter |
 * | `shardbus.events.lost` | `{event}` | `reason`, as in `onDrop` | counter |
 * | `shardbus.events.drained` | `{event}` | | counter |
 * | `shardbus.events.pending` | `{event}` | | up-down counter |
 * | `shardbus.events.in_flight` | `{event}` | | up-down counter |
 * | `shardbus.payload.held` | `By` | | up-down counter |
 * | `shardbus.body.delivered` | `By` | | counter |
 * | `shardbus.batches.delivered` | `{batch}` | | counter |
 * | `shardbus.batches.retries` | `{attempt}` | | counter |
 * | `shardbus.batches.expired` | `{attempt}` | | counter |
 * | `shardbus.shards` | `{shard}` | `state`: `active` or `draining` | up-down counter |
 *
 * @param attributes go with every number: what tells this bus from others.
 *
 * @example
 * ```ts
 * observeBus(bus, metrics.getMeter("shardbus"), { "shardbus.bus": "clicks" });
 * ```
 */
export function observeBus(bus: Observed, meter: Meter, attributes: Attributes = {}): () => void {
  const instruments = INSTRUMENTS.map(({ kind, name, unit, description, read }) => {
    const instrument = meter[`createObservable${kind}`](name, { unit, description });
    return { instrument, read };
  });
  const observables: Observable[] = instruments.map(({ instrument }) => instrument);
  const observe = (result: BatchObservableResult) => {
    const stats = bus.stats();
    for (const { instrument, read } of instruments) {
      for (const [value, more] of read(stats)) {
        result.observe(instrument, value, { ...attributes, ...more });
      }
    }
  };
  meter.addBatchObservableCallback(observe, observables);
  return () => meter.removeBatchObservableCallback(observe, observables);
}

/** A number, and the attributes that go with it. */
type Observation = readonly [value: number, attributes?: Attributes];

interface Instrument {
  readonly kind: "Counter" | "UpDownCounter";
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly read: (stats: BusStats) => readonly Observation[];
}

const INSTRUMENTS: readonly Instrument[] = [
  {
    kind: "Counter",
    name: "shardbus.events.offered",
    unit: "{event}",
    description: "Events offered to the bus",
    read: (stats) => [[stats.offered]],
  },
  {
    kind: "Counter",
    name: "shardbus.events.accepted",
    unit: "{event}",
    description: "Events that the bus accepted",
    read: (stats) => [[stats.accepted]],
  },
  {
    kind: "Counter",
    name: "shardbus.events.delivered",
    unit: "{event}",
    description: "Events whose batch was delivered",
    read: (stats) => [[stats.delivered]],
  },
  {
    kind: "Counter",
    name: "shardbus.events.lost",
    unit: "{event}",
    description: "Events refused, evicted or given up, by reason",
    read: ({ rejected, evicted, abandoned }) =>
      Object.entries({ ...rejected, evicted, ...abandoned }).map(([reason, count]) => [
        count,
        { reason },
      ]),
  },
  {
    kind: "Counter",
    name: "shardbus.events.drained",
    unit: "{event}",
    description: "Events taken out by drain(), or left in the store by close()",
    read: (stats) => [[stats.drained]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.events.pending",
    unit: "{event}",
    description: "Events that wait in their shards",
    read: (stats) => [[stats.pending]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.events.in_flight",
    unit: "{event}",
    description: "Events in flight or to be retried",
    read: (stats) => [[stats.inFlight]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.payload.held",
    unit: "By",
    description: "Payload bytes held",
    read: (stats) => [[stats.bytes.held]],
  },
  {
    kind: "Counter",
    name: "shardbus.body.delivered",
    unit: "By",
    description: "Body bytes delivered",
    read: (stats) => [[stats.bytes.delivered]],
  },
  {
    kind: "Counter",
    name: "shardbus.batches.delivered",
    unit: "{batch}",
    description: "Batches delivered",
    read: (stats) => [[stats.batches.delivered]],
  },
  {
    kind: "Counter",
    name: "shardbus.batches.retries",
    unit: "{attempt}",
    description: "Attempts after a batch's first",
    read: (stats) => [[stats.batches.retries]],
  },
  {
    kind: "Counter",
    name: "shardbus.batches.expired",
    unit: "{attempt}",
    description: "Attempts that ran out without an answer",
    read: (stats) => [[stats.batches.expired]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.shards",
    unit: "{shard}",
    description: "Shards, by state",
    read: ({ shards }) => {
      const active = shards.filter(({ state }) => state === "active").length;
      return [
        [active, { state: "active" }],
        [shards.length - active, { state: "draining" }],
      ];
    },
  },
];

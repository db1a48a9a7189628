import type {
  Attributes,
  BatchObservableResult,
  Histogram,
  Meter,
  Observable,
} from "@opentelemetry/api";
import type { DeliveryCallback } from "./options.js";
import type { BusStats } from "./stats.js";

/** The subject of the observation: an `EventBus`. */
export interface Observed {
  stats(): BusStats;
}

/** The name of `wrapCallback`, which this entry does not import: it needs no other file. */
const WRAP_CALLBACK = "shardbus.wrapCallback.1";

/** The bounds of the buckets of durations, in seconds: those of the semantic conventions. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/**
 * Observes a bus with instruments of OpenTelemetry. Its statistics are read when the meter's reader
 * collects, and its attempts are timed as they end. Returns a function that ends the observation.
 *
 * | instrument | unit | attribute | |
 * | --- | --- | --- | --- |
 * | `shardbus.events.offered` | `{event}` | | counter |
 * | `shardbus.events.accepted` | `{event}` | | counter |
 * | `shardbus.events.restored` | `{event}` | | counter |
 * | `shardbus.events.delivered` | `{event}` | | counter |
 * | `shardbus.events.lost` | `{event}` | `reason`, as in `onDrop` | counter |
 * | `shardbus.events.drained` | `{event}` | | counter |
 * | `shardbus.events.pending` | `{event}` | | up-down counter |
 * | `shardbus.events.in_flight` | `{event}` | | up-down counter |
 * | `shardbus.events.oldest_age` | `s` | | gauge |
 * | `shardbus.payload.held` | `By` | | up-down counter |
 * | `shardbus.payload.limit` | `By` | | up-down counter |
 * | `shardbus.payload.spilled` | `By` | | up-down counter |
 * | `shardbus.body.delivered` | `By` | | counter |
 * | `shardbus.batches.delivered` | `{batch}` | | counter |
 * | `shardbus.batches.retries` | `{attempt}` | | counter |
 * | `shardbus.batches.expired` | `{attempt}` | | counter |
 * | `shardbus.attempt.duration` | `s` | `outcome`, `error.type` | histogram |
 * | `shardbus.shards` | `{shard}` | `state`: `active` or `draining` | up-down counter |
 * | `shardbus.store.batches` | `{batch}` | `state`: `written` or `waiting` | up-down counter |
 * | `shardbus.store.errors` | `{error}` | | counter |
 * | `shardbus.store.set_aside` | `{batch}` | | counter |
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
  const duration = meter.createHistogram("shardbus.attempt.duration", {
    unit: "s",
    description: "Time of attempts, by outcome",
    advice: { explicitBucketBoundaries: SECONDS },
  });
  const endAttempts = recordAttempts(bus, duration, attributes);
  return () => {
    meter.removeBatchObservableCallback(observe, observables);
    endAttempts();
  };
}

/** Records the time of each attempt; nothing, if the observed object is not a bus itself. */
function recordAttempts(bus: Observed, duration: Histogram, attributes: Attributes): () => void {
  let isObserved = true;
  const record = (start: number, attempt: EndedAttempt) => {
    const seconds = (performance.now() - start) / 1000;
    if (isObserved) duration.record(seconds, { ...attributes, ...outcomeOf(attempt) });
  };
  const wrap =
    (send: DeliveryCallback): DeliveryCallback =>
    (batch, context) => {
      if (!isObserved) return send(batch, context);
      const start = performance.now();
      let isOver = false;
      const end = (attempt: EndedAttempt) => {
        // The callback's answer may come after its time was up.
        if (!isOver) record(start, attempt);
        isOver = true;
      };
      const { signal } = context;
      signal.addEventListener("abort", () => end({ error: signal.reason }), { once: true });
      const attempt = (async () => send(batch, context))();
      attempt.then(
        (result) => end({ result }),
        (error) => end({ error }),
      );
      return attempt;
    };
  type Wrappable = { [name: symbol]: ((around: typeof wrap) => void) | undefined };
  (bus as unknown as Wrappable)[Symbol.for(WRAP_CALLBACK)]?.(wrap);
  return () => {
    isObserved = false;
  };
}

/** An attempt that has ended, with the result of the callback or its error. */
interface EndedAttempt {
  readonly error?: unknown;
  readonly result?: unknown;
}

/** The used part of a `DeliveryError`, or of any error. */
interface AttemptError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly status?: unknown;
  readonly outcomes?: unknown;
  readonly split?: unknown;
  readonly tooLarge?: unknown;
  readonly retryable?: unknown;
  readonly unavailable?: unknown;
}

/** The attributes of an attempt; `error.type` is the status of the answer, or the error's name. */
function outcomeOf(attempt: EndedAttempt): Attributes {
  if (!("error" in attempt)) {
    return { outcome: isPartial(attempt.result) ? "partial" : "delivered" };
  }
  const { error } = attempt;
  const { name = "_OTHER", code, status, ...rest } = readError(error);
  return { outcome: outcomeOfError(code, rest), "error.type": String(status ?? name) };
}

function readError(error: unknown): AttemptError {
  try {
    const { name, code, status, outcomes, split, tooLarge, retryable, unavailable } =
      error as AttemptError;
    return { name, code, status, outcomes, split, tooLarge, retryable, unavailable };
  } catch {
    // It has no properties, or a getter of its own threw.
    return {};
  }
}

function outcomeOfError(code: unknown, error: AttemptError): string {
  if (code === "ERR_TIMEOUT") return "timeout";
  if (code === "ERR_CLOSED") return "aborted";
  if (code !== "ERR_DELIVERY") return "unavailable";
  if (error.outcomes !== undefined) return "partial";
  if (error.split || error.tooLarge) return "split";
  if (!error.retryable) return "permanent";
  return error.unavailable ? "unavailable" : "refused";
}

/** Tells whether a callback's result has outcomes of single events. */
function isPartial(result: unknown): boolean {
  const { rejected, retry } = (result ?? {}) as Record<string, { length?: number } | undefined>;
  return (rejected?.length ?? 0) + (retry?.length ?? 0) > 0;
}

/** A number, and the attributes that go with it. */
type Observation = readonly [value: number, attributes?: Attributes];

interface Instrument {
  readonly kind: "Counter" | "UpDownCounter" | "Gauge";
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
    name: "shardbus.events.restored",
    unit: "{event}",
    description: "Accepted events that earlier runs had left in the store",
    read: (stats) => [[stats.restored]],
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
    kind: "Gauge",
    name: "shardbus.events.oldest_age",
    unit: "s",
    description: "Age of the oldest event held",
    read: (stats) => [[stats.oldestAgeMs / 1000]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.payload.held",
    unit: "By",
    description: "Payload bytes held",
    read: (stats) => [[stats.bytes.held]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.payload.limit",
    unit: "By",
    description: "Most payload bytes held",
    read: (stats) => [[stats.maxBytes]],
  },
  {
    kind: "UpDownCounter",
    name: "shardbus.payload.spilled",
    unit: "By",
    description: "Payload bytes that only the store has",
    read: (stats) => [[stats.bytes.spilled]],
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
  {
    kind: "UpDownCounter",
    name: "shardbus.store.batches",
    unit: "{batch}",
    description: "Batches in the store, by state",
    read: ({ store }) =>
      store === undefined
        ? []
        : [
            [store.batches, { state: "written" }],
            [store.waiting, { state: "waiting" }],
          ],
  },
  {
    kind: "Counter",
    name: "shardbus.store.errors",
    unit: "{error}",
    description: "Operations of the store that failed",
    read: ({ store }) => (store === undefined ? [] : [[store.errors]]),
  },
  {
    kind: "Counter",
    name: "shardbus.store.set_aside",
    unit: "{batch}",
    description: "Batches that could not be read, and were set aside",
    read: ({ store }) => (store === undefined ? [] : [[store.setAside]]),
  },
];

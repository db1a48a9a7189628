import type { Batch } from "../batch.js";
import { InvalidOptionError, show } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Url } from "../util/platform.js";
import { askOf, checkSinkOptions } from "./events.js";
import { below, type PresetOptions, presetSchema, presetSink, texts } from "./preset.js";

/** Options of a {@linkcode lokiSink}. */
export interface LokiOptions<T = unknown> extends PresetOptions {
  /**
   * The labels of all events, or of one. Few values each: every combination is a stream. An event for
   * which the function throws, or returns no labels, is abandoned alone.
   */
  readonly labels: Labels | ((event: T) => Labels);
}

type Labels = Readonly<Record<string, string>>;

const schema = {
  ...presetSchema,
  labels: (value: unknown) => (typeof value === "function" ? undefined : texts(value)),
};

/**
 * Pushes each event as a line of JSON to Grafana Loki. A line's time is the millisecond in which its
 * batch began, and nanoseconds by its place and its shard: the same if it is sent again, so that Loki
 * drops the repetition, and different from those of equal lines, which Loki would drop as well.
 *
 * @example
 * ```ts
 * const bus = new EventBus(lokiSink("http://loki:3100", { labels: { service_name: "shop" } }));
 * ```
 */
export function lokiSink<T = unknown>(
  url: string | Url,
  options: LokiOptions<T>,
): DeliveryCallback<T> {
  const own = checkSinkOptions(options, schema);
  const { labels } = own;
  if (labels === undefined) {
    throw new InvalidOptionError(
      "labels",
      "`labels` is missing: Loki takes no line without a label",
    );
  }
  const encode = (batch: Batch) => encodePush(batch as Batch<T>, labels);
  const headers = { "content-type": "application/json" };
  const target = below(url, "loki/api/v1/push");
  return presetSink(target, own, { headers, encode }) as DeliveryCallback<T>;
}

/** The shards whose lines cannot have the same time: more than a bus has at once, as a rule. */
const SHARDS = 64;
/** The places of a shard's lines in a millisecond; the next ones are in the millisecond after it. */
const PLACES = 1_000_000 / SHARDS;

/** The time of the first line of a batch; each line's is `SHARDS` more than that of the one before. */
function timeOf({ id, shard, sequence, firstTimestamp }: Batch): bigint {
  // Processes begin at places of their own.
  const run = Number.parseInt(id.slice(0, 8), 16);
  const place = (run + sequence) % PLACES;
  const millisecond = firstTimestamp - (firstTimestamp % 1_000_000n);
  return millisecond + BigInt(place * SHARDS + (shard % SHARDS));
}

function labelsOf<T>(labels: (event: T) => Labels, event: T): Labels {
  return askOf("labels", () => {
    const found = labels(event);
    // Loki refuses all lines of a request for them.
    if (texts(found) !== undefined) throw new TypeError(`${show(found)} is no object of strings`);
    return found;
  });
}

function encodePush<T>(batch: Batch<T>, labels: Labels | ((event: T) => Labels)): string {
  const events = typeof labels === "function" ? batch.events() : undefined;
  const first = timeOf(batch);
  const streams = new Map<string, { stream: Labels; values: [time: string, line: string][] }>();
  for (const [i, line] of [...batch].entries()) {
    const stream = typeof labels === "function" ? labelsOf(labels, events?.[i] as T) : labels;
    const name = JSON.stringify(stream);
    const entry = streams.get(name) ?? { stream, values: [] };
    entry.values.push([String(first + BigInt(i * SHARDS)), line]);
    streams.set(name, entry);
  }
  return JSON.stringify({ streams: [...streams.values()] });
}

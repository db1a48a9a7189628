import type { Batch } from "../batch.js";
import type { DeliveryCallback } from "../options.js";
import { checkSinkOptions } from "./events.js";
import {
  checkSendable,
  jsonArray,
  millisecondsOf,
  type PresetOptions,
  presetSchema,
  presetSink,
  required,
  text,
} from "./preset.js";

/** Options of a {@linkcode datadogSink}. */
export interface DatadogOptions extends PresetOptions {
  readonly apiKey: string;
  /**
   * Your site of Datadog.
   * @default "datadoghq.com"
   */
  readonly site?: string | undefined;
  readonly service?: string | undefined;
  readonly source?: string | undefined;
  readonly hostname?: string | undefined;
  /** Tags of all events, such as `env:prod,team:web`. */
  readonly tags?: string | undefined;
}

const schema = {
  ...presetSchema,
  apiKey: text,
  site: (value: unknown) =>
    /^[\w.-]+$/.test(String(value)) ? undefined : 'must be a host, such as "datadoghq.eu"',
  service: text,
  source: text,
  hostname: text,
  tags: text,
};

/**
 * Sends each event as a log to Datadog, with its JSON as the message, which Datadog parses. Its
 * time is that at which its batch began, as `published_date`: the last of the fields in which Datadog
 * looks for a time, so that an event's own `timestamp` or `date` goes before it. Datadog takes 1,000 logs and 5 MB at once, so leave `batch.maxSize` as it is.
 *
 * @example
 * ```ts
 * const bus = new EventBus(datadogSink({ apiKey, service: "shop", gzip: true }));
 * ```
 */
export function datadogSink(options: DatadogOptions): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  const { apiKey, site = "datadoghq.com", service, source, hostname, tags } = own;
  required("apiKey", apiKey);
  checkSendable("apiKey", apiKey);
  const common = { service, ddsource: source, hostname, ddtags: tags };
  const encode = (batch: Batch) => {
    const published_date = millisecondsOf(batch);
    return jsonArray(
      [...batch].map((message) => JSON.stringify({ ...common, published_date, message })),
    );
  };
  const headers = { "dd-api-key": apiKey, "content-type": "application/json" };
  return presetSink(`https://http-intake.logs.${site}/api/v2/logs`, own, { headers, encode });
}

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
  texts,
} from "./preset.js";

/** Options of a {@linkcode newRelicSink}. */
export interface NewRelicOptions extends PresetOptions {
  readonly licenseKey: string;
  /**
   * The region of your account.
   * @default "US"
   */
  readonly region?: "US" | "EU" | undefined;
  /** The attributes of all events. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

const HOSTS = { US: "log-api.newrelic.com", EU: "log-api.eu.newrelic.com" };

const schema = {
  ...presetSchema,
  licenseKey: text,
  region: (value: unknown) =>
    Object.hasOwn(HOSTS, value as PropertyKey) ? undefined : 'must be "US" or "EU"',
  attributes: texts,
};

/**
 * Sends each event as a log to New Relic, with its JSON as the message, which New Relic parses, and
 * its id as the attribute `event_id`. New Relic takes 1 MB at once, after `gzip`.
 *
 * @example
 * ```ts
 * const bus = new EventBus(newRelicSink({ licenseKey, attributes: { service: "shop" }, gzip: true }));
 * ```
 */
export function newRelicSink(options: NewRelicOptions): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  const { licenseKey, region = "US", attributes = {} } = own;
  required("licenseKey", licenseKey);
  checkSendable("licenseKey", licenseKey);
  const common = JSON.stringify({ attributes });
  const encode = (batch: Batch) => {
    const timestamp = millisecondsOf(batch);
    const logs = [...batch].map((message, i) => {
      return JSON.stringify({ timestamp, message, attributes: { event_id: batch.eventId(i) } });
    });
    return `[{"common":${common},"logs":${jsonArray(logs)}}]`;
  };
  const headers = { "api-key": licenseKey, "content-type": "application/json" };
  return presetSink(`https://${HOSTS[region]}/log/v1`, own, { headers, encode });
}

import type { Batch } from "../batch.js";
import type { EventOutcomes } from "../event-outcomes.js";
import { DeliveryError } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { checkSinkOptions } from "./events.js";
import {
  below,
  checkSendable,
  jsonTexts,
  millisecondsOf,
  type PresetOptions,
  presetSchema,
  presetSink,
  refuseByStatus,
  required,
  text,
} from "./preset.js";

/** Options of a {@linkcode splunkSink}. */
export interface SplunkOptions extends PresetOptions {
  /** The token of the HTTP Event Collector. */
  readonly token: string;
  readonly host?: string | undefined;
  readonly index?: string | undefined;
  readonly source?: string | undefined;
  readonly sourcetype?: string | undefined;
}

const schema = {
  ...presetSchema,
  token: text,
  host: text,
  index: text,
  source: text,
  sourcetype: text,
};

/**
 * Sends to Splunk's HTTP Event Collector. Each event has its id in the field `event_id`. An event
 * that the collector names as invalid is abandoned alone, and the others are sent again.
 *
 * @example
 * ```ts
 * const bus = new EventBus(splunkSink("https://splunk.example:8088", { token }));
 * ```
 */
export function splunkSink(url: string | Url, options: SplunkOptions): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  const { token, host, index, source, sourcetype } = own;
  required("token", token);
  checkSendable("token", token);
  const metadata = { host, index, source, sourcetype };
  const encode = (batch: Batch) =>
    jsonTexts(batch)
      .map((event, i) => {
        const fields = { event_id: batch.eventId(i) };
        const time = millisecondsOf(batch) / 1000;
        return `${JSON.stringify({ ...metadata, time, fields }).slice(0, -1)},"event":${event}}`;
      })
      .join("\n");
  const headers = { authorization: `Splunk ${token}`, "content-type": "application/json" };
  return presetSink(below(url, "services/collector/event"), own, { headers, encode, refuse });
}

/** The used part of an answer. */
interface CollectorAnswer {
  readonly text?: string;
  readonly "invalid-event-number"?: number;
}

/** The collector names one event by its place, and says nothing of the others. */
async function refuse(response: FetchResponse, batch: Batch): Promise<EventOutcomes> {
  if (response.status !== 400) return refuseByStatus(response, batch);
  // Something before the collector may answer with a page, which names no event.
  const answer: CollectorAnswer | null = await response.json().catch(() => null);
  const invalid = answer?.["invalid-event-number"] ?? -1;
  const isPlace = Number.isInteger(invalid) && invalid >= 0 && invalid < batch.count;
  if (!isPlace) return refuseByStatus(response, batch);
  const sentence = `The collector refused the event: ${answer?.text}`;
  const error = new DeliveryError(sentence, { status: 400, cause: answer });
  const others = Array.from({ length: batch.count }, (_, i) => i).filter((i) => i !== invalid);
  return { rejected: [{ index: invalid, error }], retry: others };
}

import type { Batch } from "../batch.js";
import type { EventOutcomes } from "../event-outcomes.js";
import { DeliveryError } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { checkSinkOptions } from "./events.js";
import { below, type PresetOptions, presetSchema, presetSink, required } from "./preset.js";

/** Options of an {@linkcode elasticsearchSink}. */
export interface ElasticsearchOptions extends PresetOptions {
  /** The index or data stream. */
  readonly index: string;
}

const schema = { ...presetSchema, index: () => undefined };

/** The part of the answer that is asked for. */
const ANSWER = "filter_path=items.*.status,items.*.error";

/**
 * Writes to an index or data stream of Elasticsearch or OpenSearch, by `_bulk`. An event's id is its
 * document's, so an event that is sent again is there once. Documents that are refused are abandoned
 * alone, each with its error; those that came too fast are sent again. An index that takes none of
 * them for that reason is in an outage.
 *
 * @example
 * ```ts
 * const headers = { authorization: `ApiKey ${key}` };
 * const bus = new EventBus(elasticsearchSink("https://search.example", { index: "clicks", headers }));
 * ```
 */
export function elasticsearchSink(
  url: string | Url,
  options: ElasticsearchOptions,
): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  required("index", own.index);
  const target = below(url, `${encodeURIComponent(own.index)}/_bulk?${ANSWER}`);
  const headers = { "content-type": "application/x-ndjson" };
  return presetSink(target, own, { headers, encode: encodeBulk, read: readBulk });
}

function encodeBulk(batch: Batch): string {
  let body = "";
  for (const [i, json] of [...batch].entries()) {
    // A raw event of a bus with the format "json" may have newlines between its tokens.
    const line = json.includes("\n") ? JSON.stringify(parse(json, batch)) : json;
    body += `{"create":{"_id":"${batch.eventId(i)}"}}\n${line}\n`;
  }
  return body;
}

function parse(json: string, batch: Batch): unknown {
  try {
    return JSON.parse(json);
  } catch {
    // Throws, and has the event abandoned alone.
    return batch.events();
  }
}

interface BulkItem {
  readonly status: number;
  readonly error?: { readonly type?: string; readonly reason?: string };
}

async function readBulk(response: FetchResponse, batch: Batch): Promise<EventOutcomes> {
  const { items } = (await response.json()) as { items: readonly { create: BulkItem }[] };
  if (items?.length !== batch.count) {
    throw new DeliveryError(`The answer has ${items?.length ?? "no"} items for ${batch.count}`);
  }
  // As if the whole request were answered so: an index that is busy is no fault of the documents.
  if (items.every(({ create }) => create.status === 429)) {
    throw new DeliveryError("The index takes no document at the moment", { status: 429 });
  }
  const rejected: { index: number; error: unknown }[] = [];
  const retry: number[] = [];
  for (const [index, { create }] of items.entries()) {
    const { status, error } = create;
    if (status === 429 || status >= 500) retry.push(index);
    // 409: it is there from an earlier attempt.
    else if (status >= 400 && status !== 409) {
      const sentence = `The index refused the document: ${error?.type}: ${error?.reason}`;
      rejected.push({ index, error: new DeliveryError(sentence, { status, cause: error }) });
    }
  }
  return { rejected, retry };
}

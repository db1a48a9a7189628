import type { Batch } from "../batch.js";
import { DeliveryError, plain } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { checkSinkOptions } from "./events.js";
import {
  below,
  checkSendable,
  jsonArray,
  jsonTexts,
  type PresetOptions,
  presetSchema,
  presetSink,
  required,
  text,
} from "./preset.js";

/** Options of an {@linkcode axiomSink}. */
export interface AxiomOptions extends PresetOptions {
  readonly dataset: string;
  /** A token that may ingest. */
  readonly token: string;
  /**
   * The address of Axiom's API.
   * @default "https://api.axiom.co"
   */
  readonly url?: string | Url | undefined;
}

const schema = { ...presetSchema, dataset: text, token: text, url: () => undefined };

/**
 * Ingests into a dataset of Axiom. Axiom says how many events it did not take, and not which: then
 * the batch is split until they are alone, so that others of it may be there more than once.
 *
 * @example
 * ```ts
 * const bus = new EventBus(axiomSink({ dataset: "clicks", token }));
 * ```
 */
export function axiomSink(options: AxiomOptions): DeliveryCallback {
  const own = checkSinkOptions(options, schema);
  const { dataset, token, url = "https://api.axiom.co" } = own;
  required("dataset", dataset);
  required("token", token);
  checkSendable("token", token);
  const target = below(url, `v1/datasets/${encodeURIComponent(dataset)}/ingest`);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const encode = (batch: Batch) => jsonArray(jsonTexts(batch));
  return presetSink(target, own, { headers, encode, read });
}

/** The used part of an answer. */
interface IngestStatus {
  readonly failed: number;
  readonly failures?: readonly { readonly error?: string }[];
}

async function read(response: FetchResponse, { count }: Batch): Promise<void> {
  const { failed, failures } = (await response.json()) as IngestStatus;
  if (!(failed > 0)) return;
  const sentence = `The dataset did not take ${failed} of ${count} events: ${failures?.[0]?.error}`;
  throw new DeliveryError(plain(sentence), { split: true });
}

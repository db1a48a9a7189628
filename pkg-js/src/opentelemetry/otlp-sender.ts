import { diag } from "@opentelemetry/api";
import type { Batch } from "../batch.js";
import type { EventOutcomes } from "../event-outcomes.js";
import { DeliveryError, messageOf, unlessAborted } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import { finishAnswer } from "../sinks/events.js";
import { httpSink } from "../sinks/http.js";
import type { FetchResponse } from "../util/platform.js";
import { type Groups, pendingResources } from "./groups.js";
import type { OtlpEncoding, Rejection } from "./otlp-encoding.js";
import type { Signal } from "./otlp-messages.js";
import type { OtlpOptions, OtlpReceiver } from "./otlp-options.js";
import { suppressTracing } from "./suppress-tracing.js";

/** The receiver took a request but for some records. */
class PartialSuccess {
  constructor(readonly rejection: Rejection) {}
}

/** The callback that sends batches to an OTLP receiver over HTTP. */
export function otlpSender<T>(
  signal: Signal<never>,
  encoding: OtlpEncoding<T>,
  groups: Groups,
  { url, headers, gzip }: OtlpReceiver,
  { fetch }: OtlpOptions,
): DeliveryCallback {
  const check = async (answer: FetchResponse) => {
    const response = answer as Response;
    if (!response.ok) throw await refusalOf(response);
    const rejection = await readRejection(signal, encoding, response);
    if (rejection !== undefined) throw new PartialSuccess(rejection);
  };
  const sink = httpSink(url, { headers, gzip, check, fetch });
  return async (batch, context) => {
    const grouped = encoding.group(batch, groups);
    // No `await` before `fetch` that need not be: a page that goes does not come back from it.
    const waits = pendingResources(grouped.keys());
    // A detector of resources may hang.
    if (waits.length > 0) await unlessAborted(Promise.all(waits), context.signal);
    const request: Batch = Object.create(batch, {
      body: { value: encoding.request(signal, grouped) },
      contentType: { value: encoding.contentType },
      // For the sink's check of raw payloads; these are sound.
      events: { value: () => [] },
    });
    try {
      await suppressTracing(() => sink(request, context));
      return undefined;
    } catch (error) {
      if (error instanceof PartialSuccess) return outcomesOf(error.rejection, signal, batch.count);
      throw error;
    }
  };
}

/** The error for an answer that is no success. The protocol forbids to repeat most requests. */
async function refusalOf(response: Response): Promise<DeliveryError> {
  // Before the error, which would cancel the body and so close its connection.
  await finishAnswer(response);
  const error = DeliveryError.fromResponse(response);
  // Those of an outage, which are the protocol's and a few of HTTP, and 413, which is split.
  if (error.unavailable || error.tooLarge) return error;
  return new DeliveryError(error.message, { retryable: false, status: response.status });
}

/** The partial success of an answer. One that cannot be read is none: the receiver took the batch. */
async function readRejection<T>(
  signal: Signal<never>,
  encoding: OtlpEncoding<T>,
  response: Response,
): Promise<Rejection | undefined> {
  try {
    return encoding.rejection(signal, new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    diag.debug(`The OTLP receiver's answer cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** The outcomes of a batch of which some records were rejected. */
function outcomesOf(
  { count: rejected, message }: Rejection,
  { name }: Signal<never>,
  count: number,
): EventOutcomes | undefined {
  if (!(rejected > 0)) {
    if (message !== "") diag.warn(`The OTLP receiver took all ${name}, and says: ${message}`);
    return undefined;
  }
  // The protocol tells how many, and not which: the last ones stand for them.
  const first = Math.max(count - rejected, 0);
  const sentence = `The OTLP receiver rejected ${count - first} of ${count} ${name}, without saying which: ${message}`;
  const error = new DeliveryError(sentence, { retryable: false });
  const indexes = Array.from({ length: count - first }, (_, i) => first + i);
  return { rejected: indexes.map((index) => ({ index, error })) };
}

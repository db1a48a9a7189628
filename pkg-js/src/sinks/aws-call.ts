import type { Batch } from "../batch.js";
import type { EventOutcomes } from "../event-outcomes.js";
import { checkUrl, DeliveryError, plain, utf8Encoder } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { FetchResponse, Url } from "../util/platform.js";
import { checkClient, endOfPart, finishAnswer, type PartLimits } from "./events.js";
import { httpSink } from "./http.js";
import type { SigningClient } from "./signing-client.js";

/** An operation that puts several entries, and answers for each. */
export interface PutOperation extends PartLimits {
  readonly url: string | Url;
  /** The service and the name of the operation. */
  readonly target: string;
  readonly contentType: string;
  /** An event's entry. */
  entry(json: string, index: number, batch: Batch): object;
  /** A call's parameters. */
  parameters(entries: readonly object[]): object;
  /** The entries of a call that its answer does not tell as put. */
  failures(answer: unknown, call: Call): Iterable<Failure>;
}

/** The events of a call, by their places in the batch. */
export interface Call {
  readonly start: number;
  readonly end: number;
}

/** An event that was not put. */
export interface Failure {
  /** Its place in the batch. */
  readonly index: number;
  readonly code: string;
  readonly message: string | undefined;
  /** True if the service will never take it. */
  readonly isFinal: boolean;
}

/** Codes of a service that has too much to do, or of credentials that have run out. */
const PASSING =
  /Throttl|Throughput|OverLimit|LimitExceeded|TooManyRequests|Unavailable|Internal|Timeout|Expired/;
/** Codes of calls that may be refused for one of their entries. */
const INVALID = /Validation|InvalidArgument|InvalidParameter|InvalidMessageContents|Serialization/;
const TOO_LARGE = /TooLong|TooLarge/;

/**
 * A callback that puts a batch in as many calls as it takes, one after the other. If a call fails
 * after others, the next attempt begins with it.
 */
export function putSink(client: SigningClient, operation: PutOperation): DeliveryCallback {
  checkClient("client", client, "fetch", "an `AwsClient` of aws4fetch");
  const { url, target, contentType } = operation;
  const call = httpSink(checkUrl(url), {
    headers: { "content-type": contentType, "x-amz-target": target },
    check: (response) => (response.ok ? response.json() : refuse(response)),
    fetch: (to, init) => client.fetch(String(to), init),
  });
  /** The part of each shard's batch that was put, for the attempt after one that fails. */
  const begun = new Map<number, Begun>();
  return async (batch, context) => {
    const entries = [...batch].map((json, i) => operation.entry(json, i, batch));
    const sizes = entries.map((entry) => utf8Encoder().encode(JSON.stringify(entry)).length);
    const { id, shard, count } = batch;
    const before = begun.get(shard);
    const isSame = before?.id === id && before.count === count;
    const own: Begun = isSame ? before : { id, count, start: 0, rejected: [], retry: [] };
    begun.set(shard, own);
    const { rejected, retry } = own;
    while (own.start < entries.length) {
      const { start } = own;
      const end = endOfPart(sizes, start, operation);
      const parameters = operation.parameters(entries.slice(start, end));
      const body = utf8Encoder().encode(JSON.stringify(parameters));
      const request: Batch = Object.create(batch, { body: { value: body } });
      try {
        const failures = [...operation.failures(await call(request, context), { start, end })];
        throwIfNoneWasPut(failures, end - start);
        for (const { index, code, message, isFinal } of failures) {
          const sentence = `The service refused the event: ${plain(`${code}: ${message}`)}`;
          if (isFinal) rejected.push({ index, error: new DeliveryError(sentence) });
          else retry.push(index);
        }
      } catch (error) {
        // The batch would be split from its beginning, which was put.
        const isSplit = error instanceof DeliveryError && (error.split || error.tooLarge);
        if (start === 0 || !isSplit) throw error;
        for (let index = start; index < entries.length; index++) retry.push(index);
        break;
      }
      own.start = end;
    }
    begun.delete(shard);
    return { rejected, retry } satisfies EventOutcomes;
  };
}

/** A batch of which some calls were answered. */
interface Begun {
  readonly id: string;
  readonly count: number;
  /** The first event of the next call. */
  start: number;
  readonly rejected: { index: number; error: unknown }[];
  readonly retry: number[];
}

/** A service that is too busy for all of a call is in an outage, and the entries are not to blame. */
function throwIfNoneWasPut(failures: readonly Failure[], count: number): void {
  const [first] = failures;
  if (failures.length < count || failures.some(({ isFinal }) => isFinal)) return;
  const sentence = `The service takes no event at the moment: ${plain(`${first?.code}: ${first?.message}`)}`;
  throw new DeliveryError(sentence, { unavailable: true });
}

/** True if a failure with this code may pass. */
export const isPassing = (code: string): boolean => PASSING.test(code);

/** Judges an answer that is not ok: its code says more than its status, which is mostly 400. */
async function refuse(response: FetchResponse): Promise<never> {
  const answer = await response.json().catch(() => undefined);
  await finishAnswer(response);
  const { __type, message, Message } = (answer ?? {}) as Record<string, unknown>;
  const code = String(__type ?? "").replace(/^.*#/, "");
  const byStatus = DeliveryError.fromResponse(response);
  if (code === "") throw byStatus;
  const sentence = `The service answered ${response.status}: ${plain(`${code}: ${message ?? Message}`)}`;
  throw new DeliveryError(sentence, {
    status: response.status,
    retryable: byStatus.retryable || isPassing(code),
    unavailable: byStatus.unavailable || isPassing(code),
    split: INVALID.test(code),
    tooLarge: byStatus.tooLarge || TOO_LARGE.test(code),
    retryAfterMs: byStatus.retryAfterMs,
  });
}

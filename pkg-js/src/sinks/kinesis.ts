import type { Batch } from "../batch.js";
import { callable, idStem } from "../internal.js";
import type { DeliveryCallback } from "../options.js";
import type { Url } from "../util/platform.js";
import { type Call, type Failure, putSink } from "./aws-call.js";
import { askOf, checkName, checkSinkOptions } from "./events.js";
import type { SigningClient } from "./signing-client.js";
import { toBase64 } from "./to-base64.js";

/** Options of a {@linkcode kinesisSink}. */
export interface KinesisSinkOptions<T = unknown> {
  /**
   * The key by which Kinesis chooses one of its shards, 256 characters at most. By default a shard
   * of the bus has one of its own, and its events stay in order. An event for which it throws is
   * abandoned alone.
   */
  readonly partitionKey?: ((event: T) => string) | undefined;
}

const schema = { partitionKey: callable };

/**
 * Puts each event as a record into a stream of Amazon Kinesis, its JSON text as the data; as many at
 * once as Kinesis takes, 500 records or 5 MiB. Records that Kinesis could not take are sent again,
 * alone, and so may come after later ones.
 *
 * A record has no id, and may come twice: give your events one.
 *
 * @example
 * ```ts
 * const client = new AwsClient({ accessKeyId, secretAccessKey, retries: 0 });
 * const bus = new EventBus(kinesisSink(client, "https://kinesis.eu-central-1.amazonaws.com", "clicks"));
 * ```
 * @param client an `AwsClient` of aws4fetch, or another one that signs. The bus retries, so it need
 * not.
 * @param url the address of Kinesis in your region.
 * @param stream the stream's name.
 * @throws {InvalidOptionError} if an argument or option has a wrong name or type.
 */
export function kinesisSink<T = unknown>(
  client: SigningClient,
  url: string | Url,
  stream: string,
  options: KinesisSinkOptions<T> = {},
): DeliveryCallback<T> {
  checkName("stream", stream);
  const { partitionKey } = checkSinkOptions(options, schema);
  const keyOf = (json: string, index: number, batch: Batch) => {
    if (partitionKey === undefined) return idStem(batch.eventId(index));
    const event = parse(json, batch as Batch<T>);
    return askOf("partitionKey", () => partitionKey(event));
  };
  return putSink(client, {
    url,
    target: "Kinesis_20131202.PutRecords",
    contentType: "application/x-amz-json-1.1",
    maxCount: 500,
    // 5 MiB of data, which base64 makes longer by a third.
    maxBytes: 5_000_000,
    entry: (json, index, batch) => ({
      Data: toBase64(json),
      PartitionKey: keyOf(json, index, batch),
    }),
    parameters: (Records) => ({ StreamName: stream, Records }),
    failures: (answer, call) => failedRecords((answer as PutRecordsAnswer).Records, call),
  }) as DeliveryCallback<T>;
}

function parse<T>(json: string, batch: Batch<T>): T {
  try {
    return JSON.parse(json);
  } catch {
    // Throws, and has the event abandoned alone.
    return batch.events()[0] as T;
  }
}

/** The used part of an answer. */
interface PutRecordsAnswer {
  readonly Records?: readonly RecordAnswer[];
}

/** The answer for one record. */
export interface RecordAnswer {
  readonly ErrorCode?: string | undefined;
  readonly ErrorMessage?: string | undefined;
}

/** The records that an answer names as failed; all of their errors pass. */
export function* failedRecords(
  records: readonly RecordAnswer[] | undefined,
  { start, end }: Call,
): Generator<Failure> {
  for (let index = start; index < end; index++) {
    const record = records?.[index - start];
    const code = record === undefined ? "no answer" : record.ErrorCode;
    if (code) yield { index, code, message: record?.ErrorMessage, isFinal: false };
  }
}
